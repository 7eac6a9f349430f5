"""The configuration on disk: read at the start, and again when it changes."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.tensorflow

CONFIG = "model_config_list {{ config {{ name: 'toy' base_path: '{}' model_platform: 'tensorflow' {} }} }}"


@pytest.fixture
def write(root):
    """Writes the file; `more` goes into the model's entry."""

    def write_file(text=CONFIG, more=""):
        file = root.parent / "models.config"
        file.write_text(text.format(root / "serving_model", more))
        return file

    return write_file


def test_the_models_of_the_file_are_served(models, write, push):
    from serving.model_server.config.config_file import ConfigFile

    push(1)
    ConfigFile(write()).apply(models)
    assert models.named("toy").available_versions() == [1]


def test_a_change_is_taken_over_and_a_mistake_is_not(models, write, push, caplog):
    from serving.model_server.config.config_file import ConfigFile

    push(1), push(2)
    file = ConfigFile(write(), poll_s=1e-6)
    file.apply(models)
    write(more="model_version_policy { all {} }")
    file.poll(models)
    assert models.named("toy").available_versions() == [2, 1]
    write(text="model_config_list {{ confg {{ }} }}")
    file.poll(models), file.poll(models)
    assert models.named("toy").available_versions() == [2, 1]
    assert caplog.text.count("is not taken over") == 1
    assert (
        'line 1:21 : Message type "tensorflow.serving.ModelConfigList" has no field named "confg"'
        in caplog.text
    )
    write()
    file.poll(models)
    assert models.named("toy").available_versions() == [2]


def test_a_file_is_not_read_again_unless_asked_for(models, write, push):
    from serving.model_server.config.config_file import ConfigFile

    push(1), push(2)
    file = ConfigFile(write())
    file.apply(models)
    write(more="model_version_policy { all {} }")
    file.poll(models)
    assert models.named("toy").available_versions() == [2]


def test_a_file_that_is_not_there_is_named(models, tmp_path):
    from serving.model_server.config.config_file import ConfigFile
    from serving.model_server.status_error import StatusError

    with pytest.raises(StatusError, match="nowhere.config cannot be read: .*No such file"):
        ConfigFile(tmp_path / "nowhere.config").apply(models)
