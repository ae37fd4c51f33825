from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

SOURCE = Path(__file__).resolve().parents[2] / "src" / "opportune"
MADE = re.compile(r'\.create\(\s*"(\w+)"')
CHANGES = re.compile(r"\b(insert into|update \w+|delete from|create |drop |lock|analyze)\b")
STARTED = re.compile(r"Spark Connect server started at: \S+:(\d+)")
LONGEST_START_S = 120


@pytest.fixture(scope="session")
def lake_statements() -> dict[str, str]:
    """Every query that reads a table of the lake, such as ``learning/sql/credit.sql``."""
    code = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    tables = set(MADE.findall(code))
    found = {
        str(path.relative_to(SOURCE)): path.read_text()
        for path in sorted(SOURCE.glob("*/**/sql/*.sql"))
    }
    return {name: text for name, text in found.items() if read_by(text) & tables}


def read_by(text: str) -> set[str]:
    """The tables that a query of the engine reads; none of a statement for PostgreSQL."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    if "%(" in body or CHANGES.search(body.lower()):
        return set()
    tree = sqlglot.parse_one(body, read="duckdb")
    named = {query.alias for query in tree.find_all(exp.CTE)}
    return {table.name for table in tree.find_all(exp.Table)} - named


@pytest.fixture(scope="session")
def spark_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Spark Connect server on this machine."""
    installed = Path(sys.prefix) / "spark" / "pyspark"
    home = Path(os.environ.get("SPARK_HOME", installed))
    if not (home / "bin" / "spark-submit").exists() or shutil.which("java") is None:
        stop = pytest.fail if "CI" in os.environ else pytest.skip
        stop("no Spark; install Java 17 ('default-jre-headless'), then `make slow` installs it")
    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": "0",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(folder),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder),
        "spark.ui.enabled": "false",
    }
    command = [
        str(home / "bin" / "spark-submit"),
        *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
        *("--master", "local[2]", "--driver-memory", "2g"),
        *(part for name, value in settings.items() for part in ("--conf", f"{name}={value}")),
        "spark-internal",
    ]
    variables = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"sc://127.0.0.1:{port_of(server, folder / 'log')}"
    finally:
        server.terminate()
        server.wait(timeout=60)


def port_of(server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server says on which port it listens."""
    until = time.monotonic() + LONGEST_START_S
    while time.monotonic() < until and server.poll() is None:
        if (said := STARTED.search(log.read_text(errors="replace"))) is not None:
            return said[1]
        time.sleep(0.2)
    pytest.fail(f"Spark did not start.\n{log.read_text(errors='replace')[-3000:]}")
