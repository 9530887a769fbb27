"""Builds the native core. Everything else is in pyproject.toml."""

import os

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

# FLEET_BUILD: release (default), debug (live-object counters, assertions) or asan (address sanitizer).
BUILD = os.environ.get("FLEET_BUILD", "release")
FLAGS = {
    "release": (["-O2", "-fno-omit-frame-pointer"], [], []),
    "debug": (["-O1", "-g"], [], [("FLEET_DEBUG", "1")]),
    "asan": (
        ["-O1", "-g", "-fsanitize=address", "-fno-omit-frame-pointer"],
        ["-fsanitize=address"],
        [("FLEET_DEBUG", "1")],
    ),
}
if BUILD not in FLAGS:
    raise SystemExit(f"FLEET_BUILD={BUILD!r}: expected one of {', '.join(FLAGS)}")
compile_args, link_args, macros = FLAGS[BUILD]

core = Extension(
    "fleet._core",
    ["core_ext/_core.pyx"],
    include_dirs=["core_ext"],
    extra_compile_args=[*compile_args, "-fvisibility=hidden", "-Wno-unused-function", "-Wno-unused-variable"],
    extra_link_args=link_args,
    define_macros=macros,
    libraries=["dl", "m"],
)

setup(
    packages=[*find_packages(include=["fleet", "fleet.*"]), "fleet.lua_modules"],
    ext_modules=cythonize(
        [core],
        build_dir=f"build/{BUILD}",
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "binding": True,
            "embedsignature": True,
        },
        include_path=["core_ext"],
    ),
)
