"""Package metadata of Fulcrum. Beam workers install the project from this file (``--setup_file``)."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# Read, not imported: what `fulcrum` needs is not installed yet.
VERSION = re.search(
    r'^__version__ = "(.+)"', (HERE / "fulcrum" / "__init__.py").read_text(encoding="utf-8"), re.M
)[1]

setup(
    name="fulcrum-ranker",
    version=VERSION,
    description="Multi-task ranking: from feedback logs and one feature spec to a blessed model that serves.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(
        include=["fulcrum*", "feature_spec*", "pipeline*", "trainer*", "serving*"]
    ),
    package_data={
        "fulcrum": ["py.typed"],
        "feature_spec": ["py.typed", "specs/*.yaml"],
        "pipeline": ["deploy/*", "deploy/*/*", "report/templates/*"],
        "serving": ["py.typed", "deploy/*", "deploy/*/*", "ui/page/*"],
    },
    install_requires=[
        "apache-beam[gcp]==2.77.*",
        "tensorflow==2.21.*",
        "tf-keras==2.21.*",
        "tensorflow-recommenders>=0.7.7",
        "tensorflow-serving-api>=2.19.1,<2.20",
        "tfx==1.21.*",
        "fastavro>=1.9",
        "google-crc32c>=1.5",
        "grpcio>=1.60",
        "grpcio-health-checking>=1.60,<1.79",
        "grpcio-reflection>=1.60,<1.79",
        "isal>=1.7",
        "jinja2>=3.1",
        "keras-tuner>=1.4.8,<2",
        "matplotlib>=3.9",
        "numpy>=2,<3",
        "optuna>=4,<5",
        "orjson>=3.10",
        "plotly>=6",
        "prometheus-client>=0.21",
        "psutil>=5.9",
        "pyarrow>=18,<19",
        "pydantic>=2.9,<3",
        "python-rapidjson>=1.20",
        "pyyaml>=6",
        "rich>=13",
        "starlette>=0.40",
        "tensorboard>=2.20",
        "typer>=0.12",
        "uvicorn>=0.30",
    ],
    extras_require={
        "dev": [
            "compose-spec>=0.2",
            "dockerfile-parse>=2",
            "grafana-foundation-sdk",
            "hypothesis>=6",
            "import-linter>=2",
            "kfp>=2.16",
            "kubernetes-validate>=1.35",
            "mypy>=1.11",
            "promql-parser>=0.11",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "selenium>=4.30",
            "trustme>=1.2",
            "types-PyYAML",
            "types-protobuf",
        ],
        "kubeflow": ["kfp-pipeline-spec>=2.16"],
    },
    entry_points={"console_scripts": ["fulcrum = fulcrum.cli:main"]},
)
