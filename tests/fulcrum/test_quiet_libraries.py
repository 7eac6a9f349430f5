"""What native libraries log stays away; everything else on standard error comes through."""

from __future__ import annotations

import os

import pytest

from fulcrum.quiet_libraries import without_noise

NOISE = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1796065892.313604   23604 cudart_stub.cc:31] Could not find cuda drivers\n"
    b"To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow\n"
)


def test_log_lines_of_native_code_are_left_out_and_others_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with without_noise():
        os.write(2, NOISE + b"a warning of Python\n" + NOISE)
    assert capfd.readouterr().err == "a warning of Python\n"


def test_what_was_said_before_an_error_is_printed_too(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError), without_noise():
        os.write(2, b"libm.so is missing\n")
        raise ImportError
    assert capfd.readouterr().err == "libm.so is missing\n"
