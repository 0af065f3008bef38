"""Images and services: who they run as, whether they tell when they are sick, and what they are made of."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROFILES = ["cpu", "gpu", "vllm", "monitoring"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
HEALTHCHECK = [sys.executable, "deploy/healthcheck.py"]


def stages():
    """Target -> its lines."""
    parts = re.split(r"^FROM \S+ AS (\S+)$", DOCKERFILE, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def has_compose():
    return (
        bool(shutil.which("docker"))
        and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    )


@pytest.mark.skipif(not has_compose(), reason="no docker compose here")
@pytest.mark.parametrize("profile", PROFILES)
def test_docker_compose_accepts_every_profile(profile):
    command = ["docker", "compose", "--profile", profile, "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", ["web", "training", "inference"])
def test_images_run_as_a_user_of_their_own_and_tell_when_they_are_sick(target):
    assert "\nUSER idiolect\n" in stages()[target]
    assert "\nHEALTHCHECK " in stages()[target]


@pytest.mark.parametrize("name", SERVICES)
def test_services_run_as_a_user_of_their_own(name):
    service = SERVICES[name]
    ours = service.get("build", {}).get("target") in {"web", "training", "inference"}
    assert ours or service["user"] not in {"root", "0"}


@pytest.mark.parametrize("name", SERVICES)
def test_services_tell_when_they_are_sick_unless_they_run_once(name):
    service = SERVICES[name]
    built = "build" in service
    if service["restart"] == "no":
        assert service["healthcheck"] == {"disable": True}
    else:
        assert built or service["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_waits_for_one_that_another_profile_starts(name):
    profiles = set(SERVICES[name].get("profiles", []))
    for needed in SERVICES[name].get("depends_on", {}):
        others = set(SERVICES[needed].get("profiles", []))
        assert not others or (profiles and profiles <= others), needed


@pytest.mark.parametrize("profile", ["cpu", "gpu", "vllm"])
def test_every_writing_profile_has_one_trainer_and_one_writer(profile):
    chosen = [name for name, service in SERVICES.items() if profile in service.get("profiles", [])]
    assert len([name for name in chosen if name.startswith("training")]) == 1
    writers = [name for name in chosen if not name.startswith("training")]
    assert len(writers) == 1
    aliases = SERVICES[writers[0]].get("networks", {}).get("default", {}).get("aliases", writers)
    assert "inference" in aliases, "it answers at the name that the site asks"


def test_volumes_that_are_used_are_declared():
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert {volume for volume in used if not volume.startswith(".")} == set(COMPOSE["volumes"])


def test_everything_that_the_images_copy_is_sent_to_the_build():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, flags=re.M):
        for source in line.split()[:-1]:
            assert any(source == path or source.startswith(f"{path}/") for path in allowed), source


def test_the_web_image_needs_none_of_the_packages_that_it_leaves_out():
    left_out = re.search(r"grep -vE '\^\((torch[^)]*)\)==' .*?web\.lock", DOCKERFILE, flags=re.S).group(1).split("|")
    code = (
        "import sys; sys.modules.update({name: None for name in sys.argv[1:]});"
        "import config.asgi, config.urls, adapters.tasks, inference.tasks"
    )
    names = [name.replace("-", "_") for name in left_out]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}"}
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_worker_is_healthy_while_it_answers(eventually):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}"}

    def healthy():
        return subprocess.run([*HEALTHCHECK, "worker", "checked"], cwd=ROOT, env=environment).returncode == 0

    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "--app", "config", "--quiet", "worker", "--queues", "checked",
         "--hostname", "checked@%h", "--pool", "threads", "--loglevel", "error"],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        eventually(healthy, seconds=90)
    finally:
        worker.kill()
        worker.wait()
    assert not healthy()


def test_beat_is_healthy_while_it_writes_its_schedule(tmp_path):
    def healthy():
        environment = os.environ | {"IDIOLECT_VAR": str(tmp_path)}
        return subprocess.run([*HEALTHCHECK, "beat"], cwd=ROOT, env=environment).returncode == 0

    assert not healthy()
    schedule = tmp_path / "run" / "beat"
    schedule.parent.mkdir()
    schedule.touch()
    assert healthy()
    an_hour_ago = time.time() - 3600
    os.utime(schedule, (an_hour_ago, an_hour_ago))
    assert not healthy()


def test_the_readme_explains_every_variable_that_settings_read():
    settings = (ROOT / "platform" / "config" / "settings.py").read_text()
    names = set(re.findall(r"env(?:\.\w+)?\(\s*\"([A-Z_]+)\"", settings))
    assert len(names) > 15, "the pattern finds them"
    readme = (ROOT / "README.md").read_text()
    assert not [name for name in names if f"`{name}`" not in readme]


def test_the_example_of_an_env_file_names_only_what_is_read():
    names = re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.M)
    readers = (ROOT / "docker-compose.yml").read_text() + (ROOT / "platform" / "config" / "settings.py").read_text()
    assert not [name for name in names if name not in readers and name != "COMPOSE_PROFILES"]
