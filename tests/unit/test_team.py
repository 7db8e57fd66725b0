"""What several processes share: the batch of a step; and which GPU a worker takes."""

import pytest

from alignment.errors import AlignmentError, CrashError, ReportedElsewhere, TrainingError
from alignment.runtime.hardware import kind_of, leave_one_gpu
from alignment.training.team import ALONE, divided


def args(batch, steps):
    return {"per_device_train_batch_size": batch, "gradient_accumulation_steps": steps}


# -- the batch -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "processes", "expected"),
    [
        (args(16, 1), 2, args(8, 1)),
        (args(8, 4), 4, args(8, 1)),  # what fits on a device goes on fitting
        (args(8, 2), 4, args(4, 1)),
        (args(6, 4), 3, args(2, 4)),
        ({"learning_rate": 1.0}, 2, {"learning_rate": 1.0, **args(4, 1)}),  # TRL's own defaults
        (args("many", 1), 2, args("many", 1)),  # for TRL to refuse
        (args(7, 1), 1, args(7, 1)),
    ],
)
def test_a_step_sees_as_many_rows_whoever_trains_it(given, processes, expected):
    assert divided(given, processes) == expected


def test_a_batch_that_cannot_be_divided_is_refused():
    with pytest.raises(TrainingError, match=r"a step of 12 rows .* among 8 processes") as caught:
        divided(args(12, 1), 8)
    assert "\n" not in str(caught.value)


# -- who speaks ----------------------------------------------------------------------------------


def test_the_first_to_fail_speaks_and_the_others_do_not(tmp_path):
    with pytest.raises(AlignmentError, match="mine"), ALONE.one_voice(tmp_path):
        raise AlignmentError("mine")
    with pytest.raises(CrashError, match=r"^KeyError: 'x'$"), ALONE.one_voice(tmp_path):
        raise KeyError("x")
    with pytest.raises(ReportedElsewhere), ALONE.one_voice(tmp_path):
        next(tmp_path.iterdir()).joinpath("failed").touch()
        raise AlignmentError("too late")
    assert not list(tmp_path.iterdir())


# -- GPUs ----------------------------------------------------------------------------------------


@pytest.fixture
def driver(tmp_path):
    """The driver's folder on a machine with so many GPUs."""

    def make(count):
        for number in range(count):
            (tmp_path / f"0000:{number:02}:00.0").mkdir()
        return tmp_path

    return make


def test_workers_take_the_gpus_in_turn(driver):
    folder, taken = driver(3), []
    for worker in range(5):
        environment = {}
        leave_one_gpu(worker, environment, folder)
        taken.append(environment["CUDA_VISIBLE_DEVICES"])
    assert taken == ["0", "1", "2", "0", "1"]


@pytest.mark.parametrize(
    ("visible", "expected"), [("4,6", "6"), ("GPU-a, GPU-b", "GPU-b"), ("5", "5"), ("", "")]
)
def test_workers_take_only_what_they_were_given(driver, visible, expected):
    environment = {"CUDA_VISIBLE_DEVICES": visible}
    leave_one_gpu(1, environment, driver(8))
    assert environment == {"CUDA_VISIBLE_DEVICES": expected}


@pytest.mark.parametrize("count", [0, 1])
def test_where_there_is_nothing_to_divide_nothing_is_set(driver, count):
    environment = {}
    leave_one_gpu(1, environment, driver(count))
    assert environment == {}


def test_no_number_of_a_device_is_in_a_key():
    assert kind_of("cuda:1") == kind_of("cuda:0") == kind_of("cuda") == "cuda"
    assert kind_of("cpu") == "cpu"
