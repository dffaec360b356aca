from setuptools import find_packages, setup

# The trained models lie beside the code, where GitHub shows them; an installed
# package carries them inside, where `zoo.presets` looks first.
setup(
    packages=[
        *find_packages(include=["keras_attention*", "zoo*"]),
        "zoo.saved_models",
    ],
    package_dir={"zoo.saved_models": "saved_models"},
)
