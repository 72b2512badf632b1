"""The training loop: it learns, is repeatable, resumes bit for bit, and stops at once when it must."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.core.errors import CandidateError, InputError
from netwright.core.job import Diverged, OutOfMemory
from netwright.training.checkpoint import load_checkpoint, save_checkpoint
from netwright.training.fit import Fitted, fit
from netwright.training.hooks import Hook
from netwright.training.predict import gather, logits, softmax
from netwright.training.recipe import read_recipe
from netwright.training.step import Stepper

from .small import Small, digits, network

RECIPE = {"lr": 0.1, "batch": 64}
EVERYTHING = {"lr": 0.1, "batch": 64, "ema": 0.9, "augment": "shift+rotate+cutout+mixup", "label_smoothing": 0.1}


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data() -> Small:
    return digits()


def train(data: Small, recipe: dict[str, Any] = RECIPE, module: nn.Module | None = None, **options: Any) -> Fitted:
    options = {"epochs": 2, "seed": 3, **options}
    return fit(network(dropout=0.2) if module is None else module, data, data.task, recipe, **options)


def accuracy(module: nn.Module, data: Small) -> float:
    indices = data.indices("test")
    return float((logits(module, data.images, indices).argmax(1) == data.labels[indices]).mean())


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 0.1), ("adamw", 0.01)])
@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "constant"])
def test_it_learns(data: Small, optimizer: str, lr: float, schedule: str) -> None:
    module = network()
    fitted = train(data, {"lr": lr, "batch": 64, "optimizer": optimizer, "schedule": schedule}, module, epochs=4)
    assert accuracy(module, data) > 0.9
    assert same(fitted.weights, dict(module.state_dict()))


@pytest.mark.parametrize("augment", ["shift", "rotate", "cutout", "mixup", "shift+rotate+cutout+mixup"])
def test_it_learns_with_augmentation(data: Small, augment: str) -> None:
    module = network()
    train(data, {"lr": 0.1, "batch": 64, "augment": augment}, module, epochs=5)
    assert accuracy(module, data) > 0.8


def test_bf16_learns_and_is_scored_in_full_precision(data: Small) -> None:
    module = network()
    fitted = train(data, module=module, epochs=4, precision="bf16")
    assert accuracy(module, data) > 0.9
    assert all(tensor.dtype != torch.bfloat16 for tensor in fitted.weights.values())


@pytest.mark.parametrize("recipe", [RECIPE, EVERYTHING, {"optimizer": "adamw", "lr": 0.01, "ema": 0.9}])
@pytest.mark.parametrize("trunk", [False, True])
def test_resumed_training_equals_uninterrupted_bit_for_bit(
    data: Small, recipe: dict[str, Any], trunk: bool, tmp_path: Any
) -> None:
    whole = train(data, recipe, epochs=4, trunk=trunk)
    # Interrupted: the schedule is that of four epochs, a stop comes after two.
    half = train(data, recipe, epochs=4, trunk=trunk, report=lambda record: "stop" if record["epoch"] == 2 else "go")
    assert half.stopped and len(half.curve) == 2
    save_checkpoint(half.checkpoint, tmp_path / "half.safetensors")
    torch.manual_seed(99)  # the caller's random state must not matter
    resumed = train(
        data, recipe, epochs=4, trunk=trunk, seed=12345, resume=load_checkpoint(tmp_path / "half.safetensors")
    )
    assert same(whole.weights, resumed.weights)
    assert same(dict(whole.checkpoint.tensors), dict(resumed.checkpoint.tensors))
    assert [record["train_loss"] for record in whole.curve] == [record["train_loss"] for record in resumed.curve]
    assert [record["validation"] for record in whole.curve] == [record["validation"] for record in resumed.curve]


def test_a_promoted_trunk_goes_on_from_the_rung_and_not_from_its_decay_branch(data: Small, tmp_path: Any) -> None:
    lower = train(data, EVERYTHING, epochs=1, trunk=True)
    promoted = train(data, EVERYTHING, epochs=3, trunk=True, resume=lower.checkpoint)
    straight = train(data, EVERYTHING, epochs=3, trunk=True)
    assert same(promoted.weights, straight.weights)
    scored = {f"module.{name}": tensor for name, tensor in lower.weights.items()}
    assert not same(scored, {name: lower.checkpoint.tensors[name] for name in scored})


def test_the_score_is_taken_after_the_learning_rate_fell(data: Small) -> None:
    """The decay branch lowers the training loss of the trunk's last weights, in each of three seeds."""
    for seed in range(3):
        module, constant = network(seed), network(seed)
        recipe = {"lr": 0.4, "batch": 32}
        fitted = train(data, recipe, module, epochs=3, seed=seed, trunk=True)
        constant.load_state_dict(fitted.checkpoint.part("module"))
        indices = data.indices("train")
        losses = [
            -np.log(
                softmax(logits(m, data.images, indices))[np.arange(len(indices)), data.labels[indices]] + 1e-9
            ).mean()
            for m in (module, constant)
        ]
        assert losses[0] < losses[1]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(data: Small) -> None:
    first, again, other = (train(data, EVERYTHING, seed=seed) for seed in (1, 1, 2))
    assert same(first.weights, again.weights)
    assert not same(first.weights, other.weights)


def test_the_callers_random_state_is_left_alone(data: Small) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(data, EVERYTHING, epochs=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.fault(9)
def test_a_loss_that_is_not_finite_stops_at_once(data: Small) -> None:
    heard: list[Any] = []
    with pytest.raises(Diverged, match="loss"):
        train(data, {"lr": 90.0, "batch": 64}, Explosive(), epochs=50, report=lambda r: heard.append(r) or "go")
    assert len(heard) < 3


class Explosive(nn.Module):
    """A linear model whose loss grows without bound when the learning rate is large."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images.float().flatten(1) * 1e4) ** 3


@pytest.mark.fault(9)
def test_weights_that_are_not_finite_are_refused(data: Small) -> None:
    class Spoiler(Hook):
        def step_end(self, module: nn.Module) -> None:
            module.spare.fill_(float("nan"))  # type: ignore[operator, union-attr]

    module = network()
    module.register_buffer("spare", torch.zeros(1))
    with pytest.raises(Diverged, match="spare"):
        train(data, module=module, epochs=1, hooks=[Spoiler()])


class Hungry(nn.Module):
    """Needs more memory than there is for more than `most` images."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.inner, self.most, self.seen = network(), most, 0

    def forward(self, images: Tensor) -> Tensor:
        if self.training and len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.seen += len(images) * self.training
        return self.inner(images)


@pytest.mark.fault(8)
def test_the_batch_is_halved_with_the_same_effective_batch(data: Small) -> None:
    module = Hungry(20)
    fitted = train(data, module=module, epochs=3)
    assert fitted.pieces == 4
    assert module.seen == 3 * len(data.indices("train"))
    assert accuracy(module, data) > 0.8


@pytest.mark.fault(8)
@pytest.mark.parametrize("class_weights", [None, tuple(np.linspace(0.1, 1.9, 10).tolist())])
@pytest.mark.parametrize("augmentation", ["none", "mixup"])
def test_pieces_add_up_to_the_gradient_of_the_batch(
    data: Small, class_weights: tuple[float, ...] | None, augmentation: str
) -> None:
    data = replace(data, task=replace(data.task, class_weights=class_weights))
    recipe = {**RECIPE, "augment": augmentation}
    plain = nn.Sequential(network()[0], nn.Flatten(), nn.Linear(64, 10))

    class Cut(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: Tensor) -> Tensor:
            if self.training and len(images) > 33:
                raise torch.OutOfMemoryError("no memory")
            return self.inner(images)

    state = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    whole = train(data, recipe, module=plain, epochs=1)
    plain.load_state_dict(state)
    cut = train(data, recipe, module=Cut(plain), epochs=1)
    assert cut.pieces == 2
    for name, tensor in whole.weights.items():
        torch.testing.assert_close(cut.weights[f"inner.{name}"], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_weights_of_classes_count_alike_for_class_numbers_and_soft_targets(data: Small, label_smoothing: float) -> None:
    task = replace(data.task, class_weights=tuple(np.linspace(0.1, 1.9, 10).tolist()))
    recipe = read_recipe({"label_smoothing": label_smoothing})
    cpu = torch.device("cpu")
    images, targets = gather(data.images, np.arange(40), cpu), torch.from_numpy(data.labels[:40])
    module = network()
    expected = functional.cross_entropy(
        module(images), targets, torch.tensor(task.class_weights), label_smoothing=label_smoothing
    )
    for wanted in (targets, functional.one_hot(targets, 10).float()):
        loss = Stepper(network(), task, recipe, precision="fp32", device=cpu).step(images, wanted, 0.1)
        assert loss == pytest.approx(float(expected.detach()), rel=1e-5)


def test_no_batch_is_empty_when_a_part_of_a_pass_has_one_image_less(
    data: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    class Sizes(Hook):
        def loss(self, loss: Tensor, logits: Tensor, images: Tensor, targets: Tensor) -> Tensor:
            sizes.append(len(images))
            return loss

    monkeypatch.setattr("netwright.training.fit.epochs_a_pass", lambda images: 2)
    odd = replace(data, split=np.where(np.arange(len(data.labels)) < 25, 0, 1))
    plain = nn.Sequential(network()[0], nn.Flatten(), nn.Linear(64, 10))
    train(odd, {"lr": 0.01, "batch": 1}, module=plain, epochs=2, hooks=[Sizes()])
    assert sizes == [1] * 25


def test_weights_are_exchanged_for_validation_only_where_a_hook_scores_others(data: Small) -> None:
    class Loaded(nn.Sequential):
        times = 0

        def load_state_dict(self, *arguments: Any, **options: Any) -> Any:
            self.times += 1
            return super().load_state_dict(*arguments, **options)

    plain, averaged = Loaded(*network()), Loaded(*network())
    train(data, module=plain, epochs=3)
    train(data, {**RECIPE, "ema": 0.9}, module=averaged, epochs=3)
    assert (plain.times, averaged.times) == (1, 7)


@pytest.mark.fault(8)
def test_too_little_for_a_quarter_of_the_batch_is_out_of_memory(data: Small) -> None:
    with pytest.raises(OutOfMemory, match="16 images"):
        train(data, module=Hungry(4))


def test_another_runtime_error_is_not_taken_for_memory(data: Small) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, images: Tensor) -> Tensor:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(data, module=Broken())


def test_hooks_are_called_in_order_and_change_the_loss(data: Small) -> None:
    class Recorder(Hook):
        name = "recorder"

        def __init__(self) -> None:
            self.calls: list[str] = []

        def start(self, module: nn.Module) -> None:
            self.calls.append("start")

        def loss(self, loss: Tensor, logits: Tensor, images: Tensor, targets: Tensor) -> Tensor:
            self.calls.append("loss")
            return loss * 0

        def gradients(self, module: nn.Module) -> None:
            assert all(not p.grad.any() for p in module.parameters() if p.grad is not None)
            self.calls.append("gradients")

        def step_end(self, module: nn.Module) -> None:
            self.calls.append("step_end")

        def epoch_end(self, module: nn.Module, epoch: int) -> None:
            self.calls.append(f"epoch {epoch}")

    recorder = Recorder()
    fitted = train(data, {"batch": 10_000, "weight_decay": 0.0}, epochs=1, hooks=[recorder])
    steps = (len(recorder.calls) - 2) // 3
    assert recorder.calls == ["start", *["loss", "gradients", "step_end"] * steps, "epoch 1"]
    assert steps >= 16
    assert fitted.curve[0]["train_loss"] == 0


def test_state_of_hooks_is_in_the_checkpoint_and_must_be_there(data: Small) -> None:
    checkpoint = train(data, {"ema": 0.9}, epochs=1).checkpoint
    assert checkpoint.facts["hooks"]["average"]["steps"] > 0
    with pytest.raises(InputError, match="average"):
        train(data, {"ema": 0.9}, resume=train(data, epochs=1).checkpoint)


def test_a_checkpoint_of_another_network_is_refused(data: Small) -> None:
    with pytest.raises(InputError, match="same network"):
        train(data, resume=train(data, epochs=1).checkpoint, module=Explosive())


def test_progress_names_epochs_loss_and_validation(data: Small) -> None:
    heard: list[dict[str, Any]] = []
    train(data, epochs=2, report=lambda record: heard.append(dict(record)) or "go")
    assert [record["epoch"] for record in heard] == [1, 2] and all(record["of"] == 2 for record in heard)
    assert heard[1]["train_loss"] < heard[0]["train_loss"]
    assert set(heard[0]["validation"]) == {"accuracy", "loss"}


def test_class_weights_and_smoothing_reach_the_loss(data: Small) -> None:
    from dataclasses import replace

    weights = tuple([10.0] + [0.0] * 9)
    only_zero = replace(data.task, class_weights=weights)
    module = network()
    fit(module, data, only_zero, RECIPE, epochs=2, seed=0)
    answers = logits(module, data.images, data.indices("test")).argmax(1)
    assert (answers == 0).mean() > 0.9
    smooth = network()
    train(data, {"label_smoothing": 0.5, "lr": 0.1}, smooth, epochs=4)
    sharp = network()
    train(data, {"lr": 0.1}, sharp, epochs=4)
    confidence = [softmax(logits(m, data.images, data.indices("test"))).max(1).mean() for m in (smooth, sharp)]
    assert confidence[0] < confidence[1] - 0.2


@pytest.mark.attack(2)
@pytest.mark.parametrize(
    "recipe", [{"optimizer": "magic"}, {"lr": -1.0}, {"lr": "fast"}, {"augment": "melt"}, {"batch": 0}, {"speed": 1}]
)
def test_a_recipe_with_unknown_words_is_refused_by_name(data: Small, recipe: dict[str, Any]) -> None:
    with pytest.raises(CandidateError, match=f"recipe/{next(iter(recipe))}"):
        train(data, recipe)


@pytest.mark.parametrize("images", [40, 150])
def test_few_images_still_make_several_steps(images: int) -> None:
    data = digits(images)
    fitted = train(data, {"batch": 4096, "lr": 0.05}, epochs=2)
    assert fitted.batch == 16
    assert len(fitted.curve) == 2


def test_no_validation_split_leaves_the_curve_empty() -> None:
    data = digits(200)
    data.split[data.split == 1] = 0
    assert train(data, epochs=1).curve[0]["validation"] == {}


def test_a_pass_in_three_epochs_shows_every_image_once(data: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[np.ndarray] = []
    ends: list[int] = []

    def recorded(images: Any, indices: np.ndarray, device: Any) -> Tensor:
        shown.append(indices)
        return gather(images, indices, device)

    monkeypatch.setattr("netwright.training.fit.epochs_a_pass", lambda images: 3)
    monkeypatch.setattr("netwright.training.fit.gather", recorded)
    train(data, epochs=6, report=lambda record: ends.append(len(shown)) or "go")
    epochs = [np.concatenate(shown[low:high]) for low, high in pairwise([0, *ends])]
    images = data.indices("train")
    assert all(abs(len(epoch) - len(images) / 3) < 1 for epoch in epochs)
    first, second = np.concatenate(epochs[:3]), np.concatenate(epochs[3:])
    assert sorted(first) == sorted(second) == sorted(images)
    assert not np.array_equal(first, second), "the next pass has an order of its own"
