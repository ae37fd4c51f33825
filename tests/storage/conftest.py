from __future__ import annotations

import ast
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
from sqlglot.optimizer.scope import traverse_scope

SOURCE = Path(__file__).resolve().parents[2] / "src" / "opportune"
# Nothing else can be a query; PostgreSQL's have other parameters, or change something.
QUERY = re.compile(r"\s*(--[^\n]*\s+)*(select|with)\b", re.IGNORECASE)
CHANGES = (exp.Insert, exp.Update, exp.Delete)
STARTED = re.compile(r"Spark Connect server started at: \S+:(\d+)")
LONGEST_START_S = 120


@pytest.fixture(scope="session")
def lake_statements() -> dict[str, str]:
    """Every query that reads a table of the lake, such as ``learning/sql/credit.sql``."""
    tables = set().union(*(made_by(path.read_text()) for path in rooms()))
    found = {
        str(path.relative_to(SOURCE)): path.read_text()
        for path in sorted(SOURCE.glob("**/sql/*.sql"))
    }
    return {name: text for name, text in found.items() if read_by(text) & tables}


def rooms() -> list[Path]:
    """The modules of the program itself; what is there to test plugins asks what it likes."""
    return sorted(set(SOURCE.rglob("*.py")) - set(SOURCE.joinpath("testing").rglob("*.py")))


def made_by(code: str) -> set[str]:
    """The tables of the lake that a module of the program makes, which it must name in full."""
    if ".create(" not in code:
        return set()
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    made = [call for call in calls if re.search(r"\blake\.create$", ast.unparse(call.func))]
    return {str(ast.literal_eval(call.args[0])) for call in made}


def read_by(text: str) -> set[str]:
    """The tables that a query of the engine reads; none of a statement for PostgreSQL."""
    if "%(" in text or not QUERY.match(text):
        return set()
    tree = sqlglot.parse_one(text, read="duckdb")
    if tree.find(*CHANGES) is not None:
        return set()
    # A query may have a part of the same name as the table that it reads.
    found = [source for scope in traverse_scope(tree) for source in scope.sources.values()]
    return {source.name for source in found if isinstance(source, exp.Table)}


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
