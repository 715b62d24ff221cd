"""Packaging: the Hydra tree and the data modules live beside `src` and install inside `xpress`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

CORE = [
    "albumentations>=2.0,<3",
    "av>=14",
    "dlib-bin>=19.24",
    "fsspec[http]>=2024.6",
    "hydra-core>=1.3.2,<1.4",
    "jaxtyping>=0.2.36",
    "kornia>=0.8",
    "numba>=0.61",
    "numpy>=2.0",
    "omegaconf>=2.3,<2.4",
    "onnxruntime>=1.20",
    "opencv-python-headless>=4.10",
    "pillow>=11",
    "pyarrow>=18",
    "pydantic>=2.9",
    "pytorch-lightning>=2.6,<3",
    "rich>=13",
    "safetensors>=0.5",
    "simplejpeg>=1.8",
    "scipy>=1.14",
    "tensorboard>=2.18",
    "torch>=2.6",
    "tqdm>=4.66",
    "wandb>=0.19",
]

EXTRAS = {
    "docs": ["mkdocs-material>=9.6,<10", "mkdocstrings[python]>=0.30"],
    "export": ["onnx>=1.17", "onnxscript>=0.3"],
    "face_models": ["h5py>=3.11", "pygltflib>=1.16"],
    "live": ["pygame-ce>=2.5", "python-osc>=1.9", "pyvirtualcam>=0.12"],
    "remote": ["gcsfs>=2024.6", "s3fs>=2024.6"],  # packs on s3:// and gs://; https:// needs nothing
    "provenance": ["c2pa-python>=0.38", "cryptography>=43"],
    "pytorch3d": ["pytorch3d>=0.7.5"],
    "studio": ["fastapi>=0.115", "uvicorn>=0.34", "websockets>=14"],
    "sweeps": [
        "hydra-joblib-launcher>=1.2",
        # the one for Hydra 1.3 and Optuna 4: the release before wants Optuna 2, the next Hydra 1.4
        "hydra-optuna-sweeper==1.4.0.dev6",
        "hydra-ray-launcher>=1.2.2",
        "hydra-submitit-launcher>=1.2",
        "optuna>=4.9,<5",
    ],
    "dev": [
        "axe-playwright-python>=0.1.4",
        "beartype>=0.20",
        "build>=1.2",
        "cyclonedx-python-lib>=11",
        "defusedxml>=0.7",
        "httpx2>=2",  # what starlette's test client asks through
        "h5py>=3.11",
        "hypothesis>=6.130",
        "mypy>=1.15",
        "pip-audit>=2.10",
        "playwright>=1.50",
        "pre-commit>=4",
        "pygltflib>=1.16",
        "pytest>=8.3",
        "pytest-xdist>=3.6",
        "ruff>=0.9",
        "scikit-image>=0.25",
        "setuptools>=77",
        "uv>=0.9",
    ],
}

packages = [
    *find_packages("src"),
    "xpress.conf",
    "xpress.data_modules",
    *(f"xpress.data_modules.{name}" for name in find_packages("data_modules")),
]


def readme_of_the_wheel() -> str:
    """The README without pictures and links that lead into the repository: an index has neither."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    text = re.sub(r"!\[[^]]*\]\((?!https?:)[^)]*\)\n*", "", text)
    return re.sub(r"\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", text)


setup(
    name="xpress",
    version="0.1.0",
    description="Real-time facial reenactment and expression editing",
    long_description=readme_of_the_wheel(),
    long_description_content_type="text/markdown",
    author="xpress contributors",
    license="MIT",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Multimedia :: Video",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Typing :: Typed",
    ],
    keywords=["facial reenactment", "facial expression", "action units", "3D morphable model"],
    license_files=["LICENSE", "NOTICE"],
    python_requires=">=3.10",
    packages=packages,
    package_dir={"": "src", "xpress.conf": "conf", "xpress.data_modules": "data_modules"},
    package_data={
        "xpress": [
            f"assets/**/*.{suffix}"
            for suffix in ("safetensors", "npz", "json", "onnx", "svm", "jpg", "png", "md")
        ]
        + ["models/*/README.md", "studio/page/*", "py.typed"],
        "xpress.conf": ["*.yaml", "**/*.yaml"],
    },
    include_package_data=False,
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            "xpress-train = xpress.cli:train",
            "xpress-infer = xpress.cli:infer",
            "xpress-studio = xpress.studio.__main__:main",
        ]
    },
)
