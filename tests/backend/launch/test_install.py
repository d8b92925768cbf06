"""What `make run` installs."""

import pytest

from backend.launch.install import torch_to_do


@pytest.mark.parametrize(
    ("found", "wants_cuda", "to_do"),
    [
        ("", False, "install"),
        ("2.12.0+cpu", False, "install"),
        ("2.13.0+cpu", False, ""),
        ("2.13.0", False, ""),  # as PyPI has it, for GPUs on Linux and for Macs
        ("2.13.0+cu130", False, ""),
        ("2.13.0+cpu", True, "again"),
        ("2.13.0", True, ""),
        ("2.13.0+cu130", True, ""),
        ("2.12.0+cpu", True, "install"),
    ],
)
def test_a_torch_for_cpus_is_replaced_where_a_gpu_is_to_be_used_and_one_for_gpus_stays(found, wants_cuda, to_do):
    assert torch_to_do(found, "2.13.0", wants_cuda) == to_do
