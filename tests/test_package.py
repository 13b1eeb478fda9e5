"""Wheel, sdist and editable install hold the same package, with its data and without its tests."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*line: object, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, line)), cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A wheel and an sdist built from a copy of the tracked files, so that nothing stray is packed or left behind."""
    home = tmp_path_factory.mktemp("package")
    files = [
        f for f in run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines() if (ROOT / f).is_file()
    ]
    for name in files:
        (home / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "source" / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", home / "dist", cwd=home / "source")
    return home / "dist"


def expected() -> set[str]:
    """Every file of the package, as the repository has it."""
    folders = ("loaders", "models", "builders", "benchmarks")
    kinds = (".py", ".csv", ".md", ".html", ".css", ".js", ".svg", ".npy")
    code = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in kinds and p.is_file()]
    return {p.relative_to(ROOT).as_posix() for p in (*code, *ROOT.glob("*.py"), ROOT / "py.typed")}


@pytest.mark.slow
def test_wheel_and_sdist_hold_the_whole_package_and_no_tests(dist):
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {n.removeprefix("facevox/") for n in archive.namelist() if n.startswith("facevox/")}
        about = archive.read(next(n for n in archive.namelist() if n.endswith("METADATA"))).decode()
    assert packed == expected()
    assert "License-Expression: MIT" in about
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert expected() | {"LICENSE", "README.md", "pyproject.toml"} <= names


@pytest.mark.slow
def test_an_installed_package_works_from_anywhere(dist, tmp_path):
    """From the wheel; the sdist installs the same bytes, so that what holds of the one holds of the other."""
    uv = Path(sys.executable).parent / "uv"
    line = [uv, "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--python", sys.executable]
    installed = []
    for kind, site in (("*.whl", tmp_path / "site"), ("*.tar.gz", tmp_path / "of-the-sdist")):
        (package,) = dist.glob(kind)
        run(*line, "--target", site, package, cwd=tmp_path)
        files = [path for path in (site / "facevox").rglob("*") if path.is_file() and path.suffix != ".pyc"]
        installed.append({path.relative_to(site): path.read_bytes() for path in files})
    assert installed[0] == installed[1]
    assert {path.relative_to("facevox").as_posix() for path in installed[0]} == expected()
    script = (
        "import facevox, facevox.api; from facevox.builders.core.builder import find; "
        "from facevox.loaders.palette import palette; find('speakingfaces').card; "
        "print(facevox.__file__, len(palette()))"
    )
    place, colours = run(sys.executable, "-c", script, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site")).split()
    assert place.startswith(str(tmp_path / "site"))
    assert colours == "224"
    release, size = tmp_path / "release", "--subjects 1 --positions 1 --utterances 1 --frames 4 --size small"
    commands = (
        f"forge speakingfaces --out {release} {size} --workers 1",
        f"build speakingfaces --raw {release} --out {tmp_path / 'out'} --detector none",
        f"verify {tmp_path / 'out'}",
    )
    script = f"from facevox.cli import main; print([main(words.split()) for words in {commands}])"
    printed = run(sys.executable, "-c", script, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert printed.strip().endswith("sound\n[0, 0, 0]")


def test_this_environment_is_an_editable_install():
    import facevox

    assert Path(facevox.__file__).resolve() == ROOT / "__init__.py"


def test_ranges_are_met_by_the_locked_set():
    import tomllib

    locked = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    from packaging.requirements import Requirement

    for requirement in map(Requirement, wanted):
        if requirement.name != "facevox":
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            assert requirement.specifier.contains(locked[name]), requirement
