"""Writes the tables of README.md anew from the figures beside it: `python table.py`."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
MARK = "<!-- tables -->\n"


def cloning(found: dict) -> list[str]:
    lines = [
        f"## Cloning, samples per CPU-second ({found['rounds']} rounds)",
        "",
        "| network, batch | imitation 1.0.1 | equal work | | as shipped | | returns reached |",
        "|---" * 7 + "|",
    ]
    for case in found["cases"]:
        sides = [case[name] for name in ("imitation", "equal work", "default settings")]
        rates = [f"{side['per_cpu_second']:,.0f}" for side in sides]
        returns = " / ".join(f"{side['return']:.0f}" for side in sides)
        lines.append(
            f"| {case['hidden']}x{case['hidden']}, {case['batch']} | {rates[0]} | {rates[1]} "
            f"| **{case['ratio']['equal work']}x** | {rates[2]} "
            f"| {case['ratio']['default settings']}x | {returns} after {case['epochs']} epochs |"
        )
    return lines


def predict(found: dict) -> list[str]:
    lines = [
        f"## predict, CPU-microseconds a call ({found['rounds']} rounds)",
        "",
        "Stable-Baselines3 / ours, and how many times as fast.",
        "",
        "| | one, likeliest | one, drawn | 256, likeliest | 256, drawn |",
        "|---" * 5 + "|",
    ]
    for case in found["cases"]:
        cells = [
            f"{case['stable-baselines3'][call]:.0f} / {case['ours'][call]:.1f}: **{ratio}x**"
            for call, ratio in case["ratio"].items()
        ]
        name = f"{case['env']}, {case['hidden']}x{case['hidden']}"
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def start(found: dict) -> list[str]:
    lines = [
        f"## Whole processes ({found['rounds']} rounds)",
        "",
        "| | seconds | CPU-seconds | peak MiB | torch loaded |",
        "|---" * 5 + "|",
    ]
    for name, row in found["processes"].items():
        figures = f"{row['seconds']:.3f} | {row['cpu_seconds']:.3f} | {row['peak_mib']:.0f}"
        lines.append(f"| `{name}` | {figures} | {'yes' if row['torch'] else 'no'} |")
    return lines


def against(title: str, found: dict) -> list[str]:
    """Steps a second of every side, and how many times as fast ours were."""
    lines = [
        f"## {title}, steps per CPU-second",
        "",
        "| | rounds | peer | its steps | ours | times as fast | by the clock | returns, both |",
        "|---" * 8 + "|",
    ]
    for name, case in found["cases"].items():
        ours = case["ours"]
        for peer, ratio in case["ratio"].items():
            side = case[peer]
            there = f"{side['return']:.0f}" if "return" in side else "-"
            rates = f"{side['per_cpu_second']:,.0f} | {ours['per_cpu_second']:,.0f}"
            lines.append(
                f"| {name} | {case['rounds']} | {peer} | {rates} | **{ratio['per_cpu_second']}x** "
                f"| {ratio['per_second']}x | {there} / {ours['return']:.0f} |"
            )
    return lines


def solve(found: dict) -> list[str]:
    lines = [
        f"## Until CartPole is solved ({found['seeds']} seeds)",
        "",
        "| | solved | steps | CPU-seconds | fewer |",
        "|---" * 5 + "|",
    ]
    for name, side in found["sides"].items():
        ratio = f"**{found['ratio'][name]}x**" if name in found["ratio"] else ""
        lines.append(
            f"| {name} | {found['reached'][name]} | {side['steps']:,.0f} "
            f"| {side['cpu_seconds']:.2f} | {ratio} |"
        )
    return lines


def growth(found: dict) -> list[str]:
    lines = [
        f"## More environments ({found['rounds']} rounds)",
        "",
        "| side by side | steps per CPU-second | peak MiB |",
        "|---" * 3 + "|",
    ]
    for slots, row in found["slots"].items():
        lines.append(f"| {slots} | {row['per_cpu_second']:,.0f} | {row['peak_mib']:.0f} |")
    return lines


def threads(free: dict, busy: dict) -> list[str]:
    lines = [
        "## A second thread, times as fast (median pair)",
        "",
        "| width | parameters | batch | ms with one | cores free "
        f"| {busy['busy']} other processes |",
        "|---" * 6 + "|",
    ]
    for a, b in zip(free["rows"], busy["rows"], strict=True):
        lines.append(
            f"| {a['width']} | {a['parameters']:,} | {a['batch']} | {a['one_thread_ms']} "
            f"| {a['median_gain']} | {b['median_gain']} |"
        )
    return lines


def main() -> None:
    def read(name: str) -> dict:
        return json.loads((HERE / f"{name}.json").read_text())

    parts = [
        cloning(read("cloning")),
        predict(read("predict")),
        against("PPO", read("ppo")),
        solve(read("ppo_solve")),
        against("PPO with memory", read("recurrent")),
        growth(read("growth")),
        start(read("start")),
        threads(read("threads"), read("threads_busy")),
    ]
    readme = HERE / "README.md"
    before = readme.read_text().partition(MARK)[0]
    readme.write_text(before + MARK + "".join("\n" + "\n".join(part) + "\n" for part in parts))


if __name__ == "__main__":
    main()
