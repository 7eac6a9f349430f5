"""The canary of the runbook, step by step, with the configuration files of serving/deploy in the local model server."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

BOTH_LABELS_ON_THE_OLD = (
    'version_labels { key: "canary" value: 2 }',
    'version_labels { key: "canary" value: 1 }',
)


@pytest.fixture
def configured(deploy, root, tmp_path):
    """Puts a file of serving/deploy/config, with replacements, where the server of the test reads it."""
    path = tmp_path / "models.config"

    def write(name, *replacements):
        text = (deploy / "config" / name).read_text()
        for old, new in (("/models/short_video", str(root / "serving_model")), *replacements):
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)
        return path

    return write


def test_labels_follow_the_steps_and_no_step_takes_a_version_by_surprise(
    configured, push, stubs, eventually
):
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    from serving.model_server.config.config_file import ConfigFile
    from serving.model_server.server import LocalModelServer

    push(1)
    file = configured(
        "models_canary.config", BOTH_LABELS_ON_THE_OLD, ("versions: 1 versions: 2", "versions: 1")
    )
    with LocalModelServer(
        [], port=0, poll_s=0.05, config_file=ConfigFile(file, poll_s=0.05, labels_may_wait=True)
    ) as server:
        prediction, _ = stubs(server.target)

        def version_for(label):
            request = PredictRequest()
            request.model_spec.name = "short_video"
            if label:
                request.model_spec.version_label = label
            request.inputs["x"].dtype = 1
            request.inputs["x"].tensor_shape.dim.add(size=1)
            request.inputs["x"].float_val.append(1.0)
            return prediction.Predict(request, timeout=600.0).model_spec.version.value

        assert [version_for(label) for label in ("stable", "canary", None)] == [1, 1, 1]
        push(2)
        assert version_for(None) == 1
        configured("models_canary.config", BOTH_LABELS_ON_THE_OLD)
        eventually(lambda: version_for(None) == 2, "version 2 is loaded")
        assert [version_for(label) for label in ("stable", "canary")] == [1, 1]
        configured("models_canary.config")
        eventually(lambda: version_for("canary") == 2, "the canary is version 2")
        assert version_for("stable") == 1
        configured("models.config")
        eventually(lambda: version_for(None) == 2, "the newest is served")
