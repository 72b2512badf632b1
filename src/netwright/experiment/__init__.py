"""An experiment: from a data source and a budget to a tested, exported network and its report."""
