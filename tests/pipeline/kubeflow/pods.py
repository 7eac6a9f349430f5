"""Runs the tasks of a Kubeflow job as its backend does, but on this machine: with the commands and arguments of the job alone."""

from __future__ import annotations

import graphlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_EXECUTOR_INPUT = "{{$}}"


def in_process(command: Sequence[str]) -> None:
    """Runs ``python -m MODULE ARGUMENTS`` without a new interpreter, which would load TFX anew."""
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    assert list(command[:3]) == ["python", "-m", kubeflow_v2_run_executor.__name__]
    kubeflow_v2_run_executor.main(kubeflow_v2_run_executor._parse_flags(command[3:]))


class Pods:
    """One run of a job.

    Args:
        job: JSON form of a PipelineJob.
        run_root: folder or URI for the run's artifacts.
        disks: folder for what lies on the pods' own disks.
        start: runs a container's command.
    """

    def __init__(
        self,
        job: dict[str, Any],
        run_root: str,
        disks: Path,
        start: Callable[[Sequence[str]], None] = in_process,
    ) -> None:
        self._pipeline, self._run_root, self._disks, self._start = (
            job["pipelineSpec"],
            run_root,
            disks,
            start,
        )
        self._tasks = self._pipeline["root"]["dag"]["tasks"]
        self.artifacts: dict[tuple[str, str], dict[str, Any]] = {}

    @property
    def order(self) -> list[str]:
        """All tasks, each after those that it depends on."""
        return list(
            graphlib.TopologicalSorter(
                {name: task.get("dependentTasks", []) for name, task in self._tasks.items()}
            ).static_order()
        )

    def run(self, name: str) -> None:
        """Runs a task, whose producers have run, and keeps what it says of its artifacts."""
        from tfx.dsl.io import fileio

        component = self._pipeline["components"][name]
        container = self._pipeline["deploymentSpec"]["executors"][component["executorLabel"]][
            "container"
        ]
        executor_input = json.dumps(self._executor_input(name, component))
        arguments = [
            argument.replace(_EXECUTOR_INPUT, executor_input) for argument in container["args"]
        ]
        for provided in self._provided(name, component).values():
            # Stores of objects know no folders that would have to be made.
            fileio.makedirs(provided["uri"])
        self._start([*container["command"], *arguments])
        written = json.loads(self._output_file(name).read_text()).get("artifacts", {})
        for key, provided in self._provided(name, component).items():
            [said] = written[key]["artifacts"]
            self.artifacts[name, key] = {
                **provided,
                "uri": said["uri"],
                "metadata": {**provided.get("metadata", {}), **said.get("metadata", {})},
            }

    def _executor_input(self, name: str, component: dict[str, Any]) -> dict[str, Any]:
        inputs = self._tasks[name].get("inputs", {})
        producers = {
            key: given["taskOutputArtifact"] for key, given in inputs.get("artifacts", {}).items()
        }
        return {
            "inputs": {
                "parameterValues": {
                    key: given["runtimeValue"]["constant"]
                    for key, given in inputs.get("parameters", {}).items()
                },
                "artifacts": {
                    key: {
                        "artifacts": [
                            self.artifacts[given["producerTask"], given["outputArtifactKey"]]
                        ]
                    }
                    for key, given in producers.items()
                },
            },
            "outputs": {
                "artifacts": {
                    key: {"artifacts": [provided]}
                    for key, provided in self._provided(name, component).items()
                },
                "outputFile": str(self._output_file(name)),
            },
        }

    def _provided(self, name: str, component: dict[str, Any]) -> dict[str, dict[str, Any]]:
        outputs = component.get("outputDefinitions", {}).get("artifacts", {})
        return {
            key: {
                "name": f"{name}-{key}",
                "uri": f"{self._run_root}/{name}/{key}",
                "type": declared["artifactType"],
                "metadata": declared.get("metadata", {}),
            }
            for key, declared in outputs.items()
        }

    def _output_file(self, name: str) -> Path:
        return self._disks / name / "output_metadata.json"
