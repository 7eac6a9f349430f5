"""The machine's rate at the model's large matrix products, forwards and backwards. Arguments: batch size, steps."""

from __future__ import annotations

import sys
import time

from benchmarks import ple_workload as ple

INPUT = ple.FIELDS * ple.WIDTH + ple.NUMBERS
EXPERTS = ple.TASKS * ple.TASK_EXPERTS + ple.SHARED_EXPERTS
# (columns in, columns out, how many) of each product of a forward pass.
PRODUCTS = [
    (INPUT, EXPERTS * ple.EXPERT_UNITS, 1),
    (ple.EXPERT_UNITS, ple.TASK_EXPERTS * ple.EXPERT_UNITS, ple.TASKS + 1),
    (ple.EXPERT_UNITS, ple.TOWER_UNITS, ple.TASKS),
]


def main(batch_size: int, steps: int) -> None:
    """Each product as a forward one and the two of its gradient."""
    import tensorflow as tf

    operands = [
        (tf.random.normal([batch_size, rows]), tf.random.normal([rows, columns]), tf.random.normal([batch_size, columns]))
        for rows, columns, count in PRODUCTS
        for _ in range(count)
    ]

    @tf.function(jit_compile=True)
    def step() -> tf.Tensor:
        total = tf.constant(0.0)
        for x, kernel, gradient in operands:
            products = [x @ kernel, tf.matmul(gradient, kernel, transpose_b=True), tf.matmul(x, gradient, transpose_a=True)]
            total += tf.add_n([tf.reduce_max(product) for product in products])
        return total

    step()
    began = time.perf_counter()
    for _ in range(steps):
        result = step()
    float(result)
    ple.Measured(
        rows_per_s=batch_size * steps / (time.perf_counter() - began), peak_memory_bytes=ple.peak_memory_bytes()
    ).report()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
