"""The one file that runs in somebody's container: old Pythons read it, it needs nothing, and it refuses the addresses that we refuse."""

from __future__ import annotations

import ast
import sys

import pytest

from windlass.infra import addresses
from windlass.sweep.inside import caller, running


def test_a_python_3_8_can_read_it():
    ast.parse(running.source(), feature_version=(3, 8))


def test_it_needs_nothing_but_the_standard_library():
    tree = ast.parse(running.source())
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in named} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    "address",
    """127.0.0.1 10.0.0.1 172.18.0.3 8.8.8.8 169.254.169.254 169.254.0.1 100.100.100.200 192.0.0.192 168.63.129.16 0.0.0.0 224.0.0.1 255.255.255.255
    ::1 :: fe80::1 fe80::1%eth0 ff02::1 fd00::1 fd00:ec2::254 fd20:ce::254 2001:db8::1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 64:ff9b::a9fe:a9fe
    64:ff9b:1::a9fe:a9fe 2002:a9fe:a9fe::1 2001:0:1:1::5601:5601 ::169.254.169.254 ::2""".split(),
)
def test_it_refuses_the_addresses_that_a_sweep_from_here_refuses(address: str):
    assert caller.refusal(address) == addresses.refusal(address)
