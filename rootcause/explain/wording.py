"""What speaks against whom, as a person reads it at night."""

from collections.abc import Sequence

from rootcause.attribute.attempts import Attempts
from rootcause.attribute.drops import Drop
from rootcause.attribute.links import LinkShift
from rootcause.attribute.places import Place
from rootcause.attribute.refused import REFUSALS
from rootcause.attribute.steps import StepShift
from rootcause.attribute.surge import Surge
from rootcause.explain.apart import apart
from rootcause.explain.finding import ANY_SOURCE, Culprit, OnPath
from rootcause.explain.quantities import added_ms, ms, percent
from rootcause.judge.suspect import Suspect
from rootcause.load.step_names import written
from rootcause.load.window import OF_TIME

_WORTH_SAYING = 0.05
THE_REST = "all others"


def named(culprit: Culprit) -> str:
    """`payments v2 (payments-3) /charges`, `the link cart -> payments`, `the link to payments`: of whoever calls;
    `payments in zone b`."""
    if culprit.link:
        one = culprit.link.removeprefix(f"{ANY_SOURCE} -> ")
        parts = [f"the link {culprit.link}" if one == culprit.link else f"the link to {one}"]
    else:
        instance = f"({culprit.instance})" if culprit.instance else ""
        parts = [culprit.service, culprit.version, instance, culprit.route]
    return " ".join(part for part in (*parts, apart(culprit.model_dump())) if part)


def arrow(link: LinkShift) -> str:
    """`source -> destination`."""
    return f"{link.source} -> {link.destination}"


def against(suspect: Suspect) -> str:
    """What speaks against a suspect, in one line; of one without a score, what it strays by all the same."""
    parts = []
    if suspect.own_errors is not None and (suspect.error_part > 0 or suspect.score == 0):
        shift = suspect.own_errors
        because = f" ({shift.reason})" if shift.reason else ""
        parts.append(
            f"fails {percent(shift.observed_rate)} of its requests by its own doing{because},"
            f" usually {percent(shift.baseline_rate)}"
        )
    own = suspect.own_time
    usual, now = ("", "") if own is None else (ms(own.baseline_ms), ms(own.observed_ms))
    if usual != now:
        parts.append(f"own time {usual} -> {now} a request")
    parts += [link_against(link) for link in suspect.links]
    if suspect.steps is not None:
        step = suspect.steps
        parts.append(_changed(step) if step.service == suspect.service else f"{step.service} {_changed(step)}")
    parts += [looped(loop) for loop in suspect.loops]
    parts += [dropped(drop) for drop in suspect.drops]
    if suspect.silent is not None:
        parts.append(f"takes none of the about {suspect.silent.expected:.0f} requests that its callers make as usual")
    if suspect.full is not None:
        full = suspect.full
        parts.append(
            f"{full.resource} of {full.instance}: {percent(full.observed)} in use, usually {percent(full.baseline)}"
        )
    if suspect.surge is not None:
        parts.append(f"{suspect.surge.metric} of {suspect.surge.instance}: {_surged(suspect.surge)}")
    return "; ".join(parts) or f"own time {now} a request, about as usual"


def _surged(surge: Surge) -> str:
    return f"{surge.observed:.4g}, nearly always {surge.baseline:.4g} at the most"


def _changed(step: StepShift) -> str:
    shares = f"{percent(step.observed_share)}", f"usually {percent(step.baseline_share)}"
    if step.route == OF_TIME:
        return f"says {step.name} in {shares[0]} of the time, {shares[1]}"
    told = written(step.name)
    if told is not None and told.where == "log":
        return f'{shares[0]} of its {step.route} requests write "{told.text}", {shares[1]}'
    if step.name.startswith("-> "):
        return f"{shares[0]} of its {step.route} requests call {step.name.replace('-> ', '')}, {shares[1]}"
    return f"{shares[0]} of its {step.route} requests do '{step.name or 'the request itself'}', {shares[1]}"


def dropped(drop: Drop) -> str:
    """Who hardly calls whom any more."""
    fall = drop.fall
    return (
        f"{drop.source} hardly calls {drop.destination} any more: {fall.observed:.2f} calls a request,"
        f" usually {fall.baseline:.2f}; about {fall.missing:.0f} did not come"
    )


def at_place(place: Place) -> str:
    """Which services are slow in it."""
    parts = []
    if place.well_elsewhere:
        told = f"are slow there, and well in other {place.kind}s at the same time"
        parts.append(f"{', '.join(place.well_elsewhere)} {told}")
    if place.nowhere_else:
        rest = ", too" if place.well_elsewhere else f", while others in other {place.kind}s are well"
        parts.append(f"{', '.join(place.nowhere_else)}, in no other, {_are(place.nowhere_else)} slow{rest}")
    return f"{place.kind} {place.name}: {'; '.join(parts)}"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def looped(loop: Attempts) -> str:
    """How often it calls whom for each of its requests."""
    now, usual = loop.made / loop.requests, loop.expected / loop.requests
    return f"calls {loop.destination} {now:.2f} times a request, usually {usual:.2f}, {ms(loop.mean_ms)} each"


def waited(path: Sequence[OnPath]) -> str:
    """Who made requests longer or shorter, and what ran beside without holding them up."""
    whole = sum(part.added_ms for part in path)
    least = _WORTH_SAYING * abs(whole)
    told = [(part.where, part.added_ms) for part in path if abs(part.added_ms) >= least and part.where != THE_REST]
    rest = whole - sum(added for _, added in told)
    told += [(THE_REST, rest)] if abs(rest) >= least and told else []
    parts = ", ".join(f"{where} {added_ms(added)}" for where, added in told)
    beside = [f"{part.where} {ms(part.beside_ms)}" for part in path if part.beside_ms >= 1]
    summed = f"{parts}; all together {added_ms(whole)}"
    return f"{summed}; beside it, holding up nobody: {', '.join(beside)}" if beside else summed


def link_against(link: LinkShift) -> str:
    """What is wrong with a link."""
    parts = []
    if link.errors is not None:
        because = f" ({link.errors.reason})" if link.errors.reason else ""
        fate = "refused" if link.errors.reason in REFUSALS else "lost"
        usual = percent(link.errors.baseline_rate)
        parts.append(f"{percent(link.errors.observed_rate)} of calls {fate}{because}, usually {usual}")
    if link.time is not None and link.time.excess_ms > 0:
        parts.append(f"{ms(link.time.baseline_ms)} -> {ms(link.time.observed_ms)} a call between caller and callee")
    return f"link {arrow(link)}: " + ", ".join(parts)
