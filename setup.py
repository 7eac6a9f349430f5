"""Package metadata of Fulcrum. Beam workers install the project from this file (``--setup_file``)."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="fulcrum-ranker",
    version="0.1.0",
    description="Multi-task ranking: from feedback logs and one feature spec to a blessed model that serves.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    py_modules=["fulcrum"],
    packages=find_packages(include=["feature_spec*", "pipeline*", "trainer*", "serving*"]),
    package_data={"feature_spec": ["py.typed", "specs/*.yaml"], "serving": ["py.typed"]},
    install_requires=[
        "apache-beam==2.77.*",
        "tensorflow==2.21.*",
        "tf-keras==2.21.*",
        "tensorflow-recommenders>=0.7.7",
        "tensorflow-serving-api>=2.19.1,<2.20",
        "tfx==1.21.*",
        "google-crc32c>=1.5",
        "grpcio>=1.60",
        "matplotlib>=3.9",
        "numpy>=2,<3",
        "orjson>=3.10",
        "prometheus-client>=0.21",
        "psutil>=5.9",
        "pyarrow>=18,<19",
        "pydantic>=2.9,<3",
        "python-rapidjson>=1.20",
        "pyyaml>=6",
        "psutil>=6",
        "rich>=13",
        "starlette>=0.40",
        "tensorboard>=2.20",
        "typer>=0.12",
        "uvicorn>=0.30",
    ],
    extras_require={
        "dev": [
            "hypothesis>=6",
            "import-linter>=2",
            "mypy>=1.11",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "ruff>=0.6",
            "trustme>=1.2",
            "types-PyYAML",
            "types-protobuf",
        ],
    },
    entry_points={"console_scripts": ["fulcrum = fulcrum:main"]},
)
