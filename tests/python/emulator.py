"""Emulators of Azure OpenAI, as processes on free ports."""

from __future__ import annotations

import os
import subprocess
from typing import Any, Dict, List


class Emulators:
    """Runs emulators until it is closed."""

    def __init__(self) -> None:
        # `run` builds it, and says where it is.
        self._binary = os.environ["LB_EMULATOR"]
        self._processes: List["subprocess.Popen[str]"] = []

    def start(self, *arguments: str, key: str = "k1") -> str:
        """Starts one; gives its origin."""
        environment: Dict[str, str] = {**os.environ, "LB_EMULATOR_KEYS": key, "RUST_LOG": "off"}
        process = subprocess.Popen(
            [self._binary, "--listen", "127.0.0.1:0", *arguments], stdout=subprocess.PIPE, text=True, env=environment
        )
        self._processes.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("listening on "):
                return line.split()[-1]
        raise RuntimeError("the emulator did not start")

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def __enter__(self) -> "Emulators":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
