"""A sampler as a newcomer adds it: one class, registered by one line, no other file touched."""

from __future__ import annotations

import math

from diffviz.core.samplers import Coefficients, History, LinearSampler, line


class ThreeSteps(LinearSampler):
    """Third order from history: x_0 as a parabola through the last three predictions.

    With h the step in lambda = log(alpha / sigma), h_1 and h_2 those before, and p_1 and p_2 the
    integrals of e^{u - h} u and e^{u - h} u^2 over [0, h], Newton's form of the parabola gives

        x_s = line + alpha_s [p_1 D_1 + (p_2 + h_1 p_1) D_2],
        D_1 = (x_0 - x_0') / h_1,   D_2 = (D_1 - (x_0' - x_0'') / h_2) / (h_1 + h_2).
    """

    title = "Three steps (dummy)"
    sentence = "A parabola through the last three predictions."
    order = 3
    memory = 2

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return the line and the changes of the last two steps, as many as there are."""
        first = line(history.level(t), history.level(s))
        times = [visit.t for visit in history.past if history.level(visit.t)[0] > 0]
        if s == 0 or not times:
            return first
        at = [math.log(a / b) for a, b in map(history.level, (*times, t, s))]
        h, h_1 = at[-1] - at[-2], at[-2] - at[-3]
        p_1 = h - 1 + math.exp(-h)
        p_2 = h * h - 2 * p_1
        alpha_s = history.level(s)[0]
        if len(times) == 1:
            return first._replace(change=(alpha_s * p_1 / h_1,))
        h_2 = at[-3] - at[-4]
        bend = alpha_s * (p_2 + h_1 * p_1) / (h_1 + h_2)
        return first._replace(change=(alpha_s * p_1 / h_1 + bend / h_1, -bend / h_2))
