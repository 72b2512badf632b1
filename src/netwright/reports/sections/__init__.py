"""The eight parts of the page, each a function of a `Story`, in the order in which a reader asks."""
