"""Package metadata of Fulcrum.

Beam workers install the project from this file (``--setup_file``). The base is the feature spec,
the command line and the ranking client; each extra adds what one part of the house needs.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# Read, not imported: what `fulcrum` needs is not installed yet.
VERSION = re.search(
    r'^__version__ = "(.+)"', (HERE / "fulcrum" / "__init__.py").read_text(encoding="utf-8"), re.M
)[1]

TENSORFLOW = ["tensorflow==2.21.*"]
REPORT = ["matplotlib>=3.9"]
TRAINER = [
    *TENSORFLOW,
    "matplotlib>=3.9",
    "optuna>=4,<5",
    "pyarrow>=18,<19",
    "scipy>=1.14",
    "tensorflow-recommenders>=0.7.7",
    "tf-keras==2.21.*",
]
SERVE = [
    *TENSORFLOW,
    "grpcio-health-checking>=1.60,<1.79",
    "grpcio-reflection>=1.60,<1.79",
    "orjson>=3.10",
    "prometheus-client>=0.21",
    "python-rapidjson>=1.20",
    "starlette>=0.40",
    "tensorflow-serving-api>=2.19.1,<2.20",
    "uvicorn>=0.30",
]
# A run trains, checks the model behind a server and writes a report, so it needs all of these.
PIPELINE = [
    *TRAINER,
    *SERVE,
    *REPORT,
    "apache-beam[gcp]==2.77.*",
    "fastavro>=1.9",
    "isal>=1.7",
    "jinja2>=3.1",
    "keras-tuner>=1.4.8,<2",
    "plotly>=6",
    "psutil>=5.9",
    "scipy>=1.14",
    "tensorboard>=2.20",
    "tfx==1.21.*",
]
KUBEFLOW = ["kfp-pipeline-spec>=2.16"]
HISTORIES = ["lmdb>=1.6", "pyarrow>=18,<19"]
REDIS = [*HISTORIES, "redis[hiredis]>=6"]
KAFKA = [*HISTORIES, "confluent-kafka>=2.6", "prometheus-client>=0.21"]

setup(
    name="fulcrum-ranker",
    version=VERSION,
    description="Multi-task ranking: feedback logs and one feature spec to a model that serves.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(
        include=["fulcrum*", "feature_spec*", "pipeline*", "trainer*", "serving*"]
    ),
    package_data={
        "fulcrum": ["py.typed"],
        "feature_spec": ["py.typed", "specs/*.yaml"],
        "pipeline": ["py.typed", "deploy/*", "deploy/*/*", "report/templates/*"],
        "trainer": ["py.typed"],
        "serving": ["py.typed", "*.binpb", "deploy/*", "deploy/*/*", "ui/page/*"],
    },
    install_requires=[
        "google-crc32c>=1.5",
        "grpcio>=1.60",
        "numpy>=2,<3",
        "protobuf>=5.26,<7",
        "pydantic>=2.9,<3",
        "pyyaml>=6",
        "rich>=13",
        "typer>=0.12",
    ],
    extras_require={
        "pipeline": sorted(set(PIPELINE)),
        "trainer": TRAINER,
        "serve": SERVE,
        "report": REPORT,
        "kubeflow": KUBEFLOW,
        "histories": HISTORIES,
        "redis": REDIS,
        "kafka": KAFKA,
        "all": sorted({*PIPELINE, *KUBEFLOW, *REDIS, *KAFKA}),
        "dev": [
            "compose-spec>=0.2",
            "dockerfile-parse>=2",
            "grafana-foundation-sdk",
            "hypothesis>=6",
            "import-linter>=2",
            "kfp>=2.16",
            "kubernetes-validate>=1.35",
            "mkdocs-material>=9.6",
            "mkdocstrings[python]>=0.29",
            "mypy>=1.11",
            "promql-parser>=0.11",
            "pytest>=8",
            "pytest-cov>=5",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "selenium>=4.30",
            "trustme>=1.2",
            "types-PyYAML",
            "types-protobuf",
        ],
    },
    entry_points={"console_scripts": ["fulcrum = fulcrum.cli:main"]},
)
