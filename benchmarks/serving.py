"""The time of a ranking request: in process, over gRPC, and by slower ways to ask the same.

    python -m benchmarks.serving --json FILE

A run takes about 3 minutes on 2 cores, plus the installation of the peer. The systems take turns
within a run, so a busy machine slows all of them: read the ratios, not the milliseconds.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.environments import python_of
from benchmarks.worker import REPOSITORY, machine
from serving.model_server.process import serving_process

RANK = "rank, in process"
OVER_GRPC = "rank, over gRPC"
EXAMPLES = "serving_default with examples, over gRPC"
NAIVE = "user repeated, in process"
PRODUCTS = "rank's matrix products alone, in process"
# DeepCTR reads the texts of a request, as all others do, or ids that were looked up beforehand.
DEEPCTR = {"texts": "DeepCTR's PLE, in process", "ids": "DeepCTR's PLE, in process, given ids"}
TARGETS_AT = 500
CLIENTS = 8
WARM_UP_CALLS = 10
TIMEOUT_S = 3600.0  # ends a call that hangs; a slow machine never takes this long

console = Console(highlight=False)


def main(
    *,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here too.")
    ] = None,
    candidates: Annotated[
        list[int] | None, typer.Option(help="Candidates of a request. Repeatable.", min=1)
    ] = None,
    rounds: Annotated[int, typer.Option(help="Turns of each system.", min=1)] = 10,
    calls: Annotated[int, typer.Option(help="Requests a turn.", min=1)] = 20,
    seconds: Annotated[
        float, typer.Option(help="Seconds of each measurement under load.", min=0.1)
    ] = 10.0,
    peer: Annotated[bool, typer.Option(help="Whether DeepCTR takes part.")] = True,
    xla: Annotated[
        bool, typer.Option(help="Whether the model is exported with trainer.export_xla.")
    ] = True,
    tables: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option(help="The model's trainer.export_table_dtype."),
    ] = "float32",
    intra_op_threads: Annotated[
        int, typer.Option(help="The server's --intra-op-threads.", min=0)
    ] = 0,
    soak: Annotated[
        int,
        typer.Option(
            help="Requests after which the server's memory is looked at; 0 for none.", min=0
        ),
    ] = 0,
) -> None:
    """Measure how fast a PLE over 30 user and 20 item fields ranks, beside slower ways to ask."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.serving_workload import export_models

    counts = candidates or [1, 100, 500, 2000]
    python = python_of("deepctr") if peer else None
    figures: dict[str, Any] = {"machine": machine(), "latency_ms": {}}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        console.print("Exporting …")
        export_models(folder, counts, xla=xla, tables=tables)
        target, server = stack.enter_context(served(folder, intra_op_threads))
        peers = {}
        if python:
            peers = {
                name: stack.enter_context(deepctr(python, folder / categories, categories))
                for categories, name in DEEPCTR.items()
            }
        in_process = InProcess(folder)
        over_grpc = stack.enter_context(OverGrpc(target, folder))
        for count in counts:
            systems: dict[str, Callable[[int], list[float]]] = {
                RANK: in_process.ranker(count),
                OVER_GRPC: over_grpc.caller(over_grpc.rank_request(count)),
                EXAMPLES: over_grpc.caller(over_grpc.examples_request(count)),
                NAIVE: in_process.naive_ranker(count),
                PRODUCTS: in_process.products(count),
            }
            systems |= {
                name: functools.partial(times_ms, count) for name, times_ms in peers.items()
            }
            figures["latency_ms"][str(count)] = by_system = latencies(systems, rounds, calls)
            console.print(latency_table(count, by_system))
        if TARGETS_AT in counts:
            figures["ratios"] = ratios(figures["latency_ms"][str(TARGETS_AT)])
            figures["cpu_ratios"] = in_process.cpu_ratios(TARGETS_AT, rounds, calls)
        figures["load"] = over_grpc.under_load(TARGETS_AT, seconds, server)
        if soak:
            figures["soak"] = over_grpc.soak(TARGETS_AT, soak, server)
    for part in ("ratios", "cpu_ratios", "load", "soak"):
        if part in figures:
            console.print_json(json.dumps({part: figures[part]}))
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2))


def latencies(
    systems: dict[str, Callable[[int], list[float]]], rounds: int, calls: int
) -> dict[str, dict[str, float]]:
    """Call the systems in turns and return p50 and p99 of each in ms."""
    times: dict[str, list[float]] = {name: [] for name in systems}
    for call in systems.values():
        call(WARM_UP_CALLS)
    for _ in range(rounds):
        for name, call in systems.items():
            times[name] += call(calls)
    return {
        name: dict(zip(("p50", "p99"), np.percentile(of_system, [50, 99]).tolist(), strict=True))
        for name, of_system in times.items()
    }


def ratios(by_system: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the ratios that the project sets itself as aims, from the medians of one run."""
    p50 = {name: latency["p50"] for name, latency in by_system.items()}
    result = {
        "user repeated / rank (at least 2)": p50[NAIVE] / p50[RANK],
        "gRPC / (1.25 rank + 1 ms) (at most 1)": p50[OVER_GRPC] / (1.25 * p50[RANK] + 1.0),
        "examples / rank, over gRPC (at least 4)": p50[EXAMPLES] / p50[OVER_GRPC],
        "rank / its products (at most 2)": p50[RANK] / p50[PRODUCTS],
    }
    if DEEPCTR["texts"] in p50:
        result["DeepCTR / rank (at least 2)"] = p50[DEEPCTR["texts"]] / p50[RANK]
        result["DeepCTR given ids / rank"] = p50[DEEPCTR["ids"]] / p50[RANK]
    return result


def latency_table(count: int, by_system: dict[str, dict[str, float]]) -> Table:
    """Return a table of the latencies at one number of candidates."""
    table = Table(title=f"{count:,} candidates: {machine()}", title_justify="left")
    table.add_column("way")
    for heading in ("p50", "p99", "times rank's p50"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, latency in by_system.items():
        times = f"{latency['p50'] / by_system[RANK]['p50']:.2f}"
        table.add_row(name, f"{latency['p50']:.2f} ms", f"{latency['p99']:.2f} ms", times)
    return table


@contextlib.contextmanager
def served(folder: Path, intra_op_threads: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `fulcrum serve` in a process of its own and yield its address and the process."""
    (folder / "served").mkdir()
    shutil.copytree(folder / "model", folder / "served" / "1")
    options = ["--root", str(folder / "served"), "--intra-op-threads", str(intra_op_threads)]
    with serving_process(options, folder / "serve.log") as server:
        yield server


@contextlib.contextmanager
def deepctr(
    python: Path, folder: Path, categories: str
) -> Iterator[Callable[[int, int], list[float]]]:
    """Run DeepCTR in a process of its own and yield a function that times its calls.

    The function takes the number of candidates and the number of calls. It returns the time of
    each call in ms.
    """
    command = [str(python), "-m", "benchmarks.peers.deepctr_serving", str(folder), categories]
    log = folder.with_suffix(".log")
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("pipes were asked for")

    def times_ms(count: int, calls: int) -> list[float]:
        stdin.write(f"{count} {calls}\n")
        stdin.flush()
        for line in stdout:
            if line.startswith("TIMES "):
                return json.loads(line.removeprefix("TIMES "))
        said = log.read_text(encoding="utf-8")[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.wait()}:\n{said}")

    try:
        yield times_ms
    finally:
        process.terminate()
        process.wait()


class InProcess:
    """The exported models, loaded into this process and called as functions."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._requests = Requests(folder)
        self._model = tf.saved_model.load(str(folder / "model"))
        self._naive = tf.saved_model.load(str(folder / "naive"))

    def ranker(self, count: int) -> Callable[[int], list[float]]:
        """Return a function that times calls of the `rank` signature."""
        import tensorflow as tf

        inputs = {
            name: tf.constant(tf.make_ndarray(proto))
            for name, proto in self._requests.rank(count).inputs.items()
        }
        return _function_caller(self._model.signatures["rank"], inputs)

    def naive_ranker(self, count: int) -> Callable[[int], list[float]]:
        """Return a function that times the signature that reads the user once a candidate."""
        import tensorflow as tf

        from benchmarks.serving_workload import fields

        arrays = {
            name: tf.make_ndarray(proto)
            for name, proto in self._requests.rank(count).inputs.items()
        }
        inputs = {
            name: tf.constant(
                np.repeat(arrays[name], count) if field["side"] == "user" else arrays[name]
            )
            for name, field in fields().items()
        }
        return _function_caller(self._naive.signatures["serving_default"], inputs)

    def products(self, count: int) -> Callable[[int], list[float]]:
        """Return a function that times the matrix products of a request, and nothing else."""
        import tensorflow as tf

        from benchmarks.serving_workload import product_shapes

        operands = [
            (tf.random.normal([rows, inner]), tf.random.normal([inner, columns]))
            for rows, inner, columns in product_shapes(count)
        ]

        @tf.function(autograph=False)
        def multiplied() -> dict[str, Any]:
            return {str(number): x @ y for number, (x, y) in enumerate(operands)}

        return _function_caller(multiplied, {})

    def cpu_ratios(self, count: int, rounds: int, calls: int) -> dict[str, float]:
        """Return CPU times by those of the products, which a busy machine does not change much."""
        systems = {
            RANK: self.ranker(count),
            NAIVE: self.naive_ranker(count),
            PRODUCTS: self.products(count),
        }
        cpu_s: dict[str, list[float]] = {name: [] for name in systems}
        for call in systems.values():
            call(WARM_UP_CALLS)
        for _ in range(rounds):
            for name, call in systems.items():
                began_s = time.process_time()
                call(calls)
                cpu_s[name].append(time.process_time() - began_s)
        medians = {name: float(np.median(times)) for name, times in cpu_s.items()}
        return {
            f"{name} / products, CPU": medians[name] / medians[PRODUCTS] for name in (RANK, NAIVE)
        }


class Requests:
    """Requests for a model, made of randomly drawn users and items."""

    def __init__(self, folder: Path) -> None:
        from feature_spec import names
        from feature_spec.loading import load_spec

        self.spec = load_spec(folder / "model" / names.EXPORTED_SPEC)

    def rank(self, count: int) -> Any:
        """Return a request to `rank`."""
        import tensorflow as tf

        from feature_spec.names import weight_name
        from serving.push_check.logged_requests import rank_request

        examples = self._examples(count)
        request = rank_request(self.spec, "rank", examples[0], examples)
        # A call in process has no defaults, so the weights cannot be left out.
        for task, weight in self.spec.ranking_formula.weights.items():
            request.inputs[weight_name(task)].CopyFrom(tf.make_tensor_proto(weight, tf.float32))
        return request

    def examples(self, count: int) -> Any:
        """Return the same user and items as a request to `serving_default`."""
        from serving.push_check.logged_requests import examples_request

        return examples_request(self.spec, "serving_default", self._examples(count))

    @staticmethod
    def _examples(count: int) -> list[Any]:
        import tensorflow as tf

        from benchmarks.serving_workload import drawn, examples

        return [
            tf.train.Example.FromString(data)
            for data in examples(drawn("user", 1, 3), drawn("item", count, 4))
        ]


class OverGrpc:
    """The served model, called over gRPC."""

    def __init__(self, target: str, folder: Path) -> None:
        import grpc

        self._requests = Requests(folder)
        self._target = target
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(target, options=options)

    def __enter__(self) -> OverGrpc:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def rank_request(self, count: int) -> Any:
        """Return a request to `rank`."""
        return self._requests.rank(count)

    def examples_request(self, count: int) -> Any:
        """Return a request to `serving_default`."""
        return self._requests.examples(count)

    def caller(self, request: Any) -> Callable[[int], list[float]]:
        """Return a function that times calls from the request message to the answer message."""
        from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

        predict = PredictionServiceStub(self._channel).Predict
        return _timer(lambda: predict(request, timeout=TIMEOUT_S))

    def under_load(
        self, count: int, seconds: float, server: subprocess.Popen[str]
    ) -> dict[str, float]:
        """Measure the throughput of one and of several clients, then latencies at half that load.

        A client asks again as soon as it has its answer. At half load, requests arrive at random
        times, and a latency counts from the arrival.
        """
        from serving.loadtest.connections import open_connections
        from serving.loadtest.load_generator import LoadGenerator, send_times_s

        request = self.rank_request(count).SerializeToString()
        with open_connections(self._target, CLIENTS) as predicts:
            closed_loop_rate(predicts, request, seconds / 5.0)
            one, cpu_of_one_ms = rate_and_cpu_ms(predicts[:1], request, seconds, server)
            many, cpu_of_many_ms = rate_and_cpu_ms(predicts, request, seconds, server)
            due_s = send_times_s(many / 2.0, seconds, "poisson", seed=1)
            generator = LoadGenerator(
                [predict.future for predict in predicts],
                [request],
                due_s,
                timeout_s=TIMEOUT_S,
                drain_s=TIMEOUT_S,
            )
            generator.start()
            while not generator.wait(seconds):
                pass
            p50, p99 = np.percentile(1000.0 * generator.stop().latency_s, [50, 99])
        return {
            "candidates": count,
            "requests_per_s of 1 client": one,
            f"requests_per_s of {CLIENTS} clients": many,
            f"{CLIENTS} clients / 1 client (at least 1.6)": many / one,
            "server's CPU ms a request of 1 client": cpu_of_one_ms,
            f"server's CPU ms a request of {CLIENTS} clients": cpu_of_many_ms,
            "p50_ms at half load": float(p50),
            "p99_ms at half load": float(p99),
            "p99 / p50 at half load (at most 3)": float(p99 / p50),
        }

    def soak(self, count: int, requests: int, server: subprocess.Popen[str]) -> dict[str, float]:
        """Measure the resident memory of the server after a tenth of the requests and after all."""
        import psutil

        from serving.loadtest.connections import open_connections

        process = psutil.Process(server.pid)
        request = self.rank_request(count).SerializeToString()
        resident = []
        with open_connections(self._target, CLIENTS) as predicts:
            for share in (0.1, 0.9):
                closed_loop_rate(predicts, request, float("inf"), int(share * requests))
                resident.append(process.memory_info().rss)
        return {
            "requests": requests,
            "bytes after a tenth": resident[0],
            "bytes after all": resident[1],
        }


def rate_and_cpu_ms(
    predicts: list[Any], request: bytes, seconds: float, server: subprocess.Popen[str]
) -> tuple[float, float]:
    """Return the requests a second of closed-loop clients, and the server's CPU time for one."""
    import psutil

    process = psutil.Process(server.pid)
    used, began_s = process.cpu_times(), time.perf_counter()
    rate = closed_loop_rate(predicts, request, seconds)
    requests, now = rate * (time.perf_counter() - began_s), process.cpu_times()
    return rate, 1000.0 * (now.user + now.system - used.user - used.system) / requests


def closed_loop_rate(
    predicts: list[Any], request: bytes, seconds: float, requests: float = float("inf")
) -> float:
    """Return the requests a second of closed-loop clients, one for each function in `predicts`.

    The clients stop after `seconds`, or after `requests` of all of them together.
    """
    began_s = time.perf_counter()
    answered = [0] * len(predicts)

    def client(number: int) -> None:
        while time.perf_counter() - began_s < seconds and answered[number] < requests / len(
            predicts
        ):
            predicts[number](request, timeout=TIMEOUT_S)
            answered[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(len(predicts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered) / (time.perf_counter() - began_s)


def _function_caller(signature: Any, inputs: dict[str, Any]) -> Callable[[int], list[float]]:
    def call() -> None:
        for scores in signature(**inputs).values():
            scores.numpy()

    return _timer(call)


def _timer(call: Callable[[], Any]) -> Callable[[int], list[float]]:
    def times_ms(calls: int) -> list[float]:
        result = []
        for _ in range(calls):
            began_s = time.perf_counter()
            call()
            result.append(1000.0 * (time.perf_counter() - began_s))
        return result

    return times_ms


if __name__ == "__main__":
    typer.run(main)
