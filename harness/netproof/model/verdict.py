"""Three matrices, one verdict a cell, and it names whose work it is (design: the verdict table)."""

from __future__ import annotations

from enum import StrEnum

from netproof.model.outcome import Intent, Measured, Specified


class Verdict(StrEnum):
    HOLDS = "holds"
    POLICY_DEFECT = "policy-defect"
    CNI_DIFFERENCE = "cni-difference"
    MASKED_DEFECT = "masked-defect"
    UNSPECIFIED = "unspecified"
    UNMEASURED = "unmeasured"


WHOSE: dict[Verdict, str] = {
    Verdict.HOLDS: "nobody",
    Verdict.POLICY_DEFECT: "the policy's author: the policy does not say what was meant",
    Verdict.CNI_DIFFERENCE: "the CNI or its set-up: it does not do what the policy says",
    Verdict.MASKED_DEFECT: "both: the policy does not say what was meant, and the CNI hides it",
    Verdict.UNSPECIFIED: "nobody: the API leaves it open",
    Verdict.UNMEASURED: "the harness or the cluster: nothing was measured",
}

WRONG = frozenset({Verdict.POLICY_DEFECT, Verdict.CNI_DIFFERENCE, Verdict.MASKED_DEFECT})
"""Verdicts that fail a run unless a reviewed entry declares the cell."""


def judge(intended: Intent, specified: Specified, measured: Measured) -> Verdict:
    """The verdict of one cell. `unmeasured` comes before all else, then `unspecified`. Where nobody said what is meant,
    no policy can be called wrong."""
    if measured is Measured.UNMEASURED:
        return Verdict.UNMEASURED
    if specified is Specified.UNSPECIFIED:
        return Verdict.UNSPECIFIED
    as_meant = intended is Intent.UNSTATED or intended.value == specified.value
    as_specified = specified.value == measured.value
    match as_meant, as_specified:
        case True, True:
            return Verdict.HOLDS
        case False, True:
            return Verdict.POLICY_DEFECT
        case True, False:
            return Verdict.CNI_DIFFERENCE
        case _:
            return Verdict.MASKED_DEFECT


def judge_on_paper(intended: Intent, specified: Specified) -> Verdict:
    """The verdict if a CNI did what the policies mean."""
    return judge(intended, specified, Measured.CONNECTED if specified is Specified.CONNECTED else Measured.DENIED)
