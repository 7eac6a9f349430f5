"""The matrix products of the PLE alone, forwards and backwards: the limit of the machine.

Arguments: batch size, steps, units of an expert.
"""

from __future__ import annotations

import sys
import time

from benchmarks import ple_workload as ple
from benchmarks.worker import peak_memory_bytes

INPUT = ple.FIELDS * ple.WIDTH + ple.NUMBERS
EXPERTS = ple.TASKS * ple.TASK_EXPERTS + ple.SHARED_EXPERTS


def main(batch_size: int, steps: int, units: int) -> None:
    """Run each product forwards and the two products of its gradient, and report the figures."""
    import tensorflow as tf

    # Each product of a forward pass: columns in, columns out, and how often it occurs.
    products = [
        (INPUT, EXPERTS * units, 1),
        (units, ple.TASK_EXPERTS * units, ple.TASKS + 1),
        (units, ple.TOWER_UNITS, ple.TASKS),
    ]
    operands = [
        (
            tf.random.normal([batch_size, rows]),
            tf.random.normal([rows, columns]),
            tf.random.normal([batch_size, columns]),
        )
        for rows, columns, count in products
        for _ in range(count)
    ]

    @tf.function(jit_compile=True)
    def step() -> tf.Tensor:
        total = tf.constant(0.0)
        for x, kernel, gradient in operands:
            results = [
                x @ kernel,
                tf.matmul(gradient, kernel, transpose_b=True),
                tf.matmul(x, gradient, transpose_a=True),
            ]
            total += tf.add_n([tf.reduce_max(result) for result in results])
        return total

    step()
    began = time.perf_counter()
    for _ in range(steps):
        result = step()
    float(result)
    ple.Measured(
        rows_per_s=batch_size * steps / (time.perf_counter() - began),
        peak_memory_bytes=peak_memory_bytes(),
    ).report()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
