"""What answers have taught about one endpoint, and about its pool. Values; the Store keeps them.

Everything is forgotten by itself: a figure of which nothing new is heard goes back to what
would be believed without it.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

ERROR_HALF_LIFE_S = 30.0
ERROR_PRIOR = 4.0  # answers that went well, believed in before there is any
TTFT_HALF_LIFE_S = 30.0
TTFT_SHARE = 0.2  # of the newest observation
TTFT_FORGOTTEN_S = 300.0
SPEED_HALF_LIFE_S = 600.0
SPEED_PRIOR = 8.0  # observations
SPEED_SHARE_MIN = 0.05  # of the newest observation, once there are many
SPEED_MAX = 8.0  # nobody is that many times faster or slower than it was said to be
MEAN_SHARE_MIN = 0.01
SURPRISE_MAX = 2.0  # so much can one observation be off, and still count as it is


class Feedback(Struct, frozen=True):
    """What is learnt of one endpoint.

    log_speed, speeds, speed_at_s  the logarithm of its speed against its pool's, from how many
        observations, and when the last one was
    answers, errors, answered_at_s  weights of recent answers, and of those that failed
    ttft_s, ttft_at_s               recent times to the first token; minus infinity: never seen
    """

    log_speed: float = 0.0
    speeds: int = 0
    speed_at_s: float = 0.0
    answers: float = 0.0
    errors: float = 0.0
    answered_at_s: float = 0.0
    ttft_s: float = 0.0
    ttft_at_s: float = -math.inf

    def speed_log(self, now_s: float) -> float:
        """Return the logarithm of its speed against its pool's; unheard of, it goes to 0."""
        if not self.log_speed:
            return 0.0
        return self.log_speed * decay(now_s - self.speed_at_s, SPEED_HALF_LIFE_S)

    def error_rate(self, now_s: float) -> float:
        """Return the share of recent answers that failed, 0..1."""
        if not self.errors:
            return 0.0
        left = decay(now_s - self.answered_at_s, ERROR_HALF_LIFE_S)
        return min(1.0, self.errors * left / (self.answers * left + ERROR_PRIOR))

    def ttft(self, now_s: float) -> float | None:
        """Return what first tokens have recently taken; None if none was seen for long."""
        return self.ttft_s if now_s - self.ttft_at_s <= TTFT_FORGOTTEN_S else None

    def after_first_token(
        self, took_s: float, predicted_s: float, now_s: float
    ) -> tuple["Feedback", float]:
        """Return what is known after a first token, and how wrong the prediction was.

        That is the logarithm of predicted over observed, within `SURPRISE_MAX` either way: a
        prompt that was not cached as believed says little of how fast a server is.
        """
        said = replace(self, ttft_s=self._next_ttft(took_s, now_s), ttft_at_s=now_s)
        if predicted_s <= 0.0 or took_s <= 0.0:
            return said, 0.0
        error = _within(math.log(predicted_s) - math.log(took_s), SURPRISE_MAX)
        share = max(SPEED_SHARE_MIN, 1.0 / (SPEED_PRIOR + self.speeds + 1))
        log = _within(self.speed_log(now_s) + share * error, SPEED_MAX)
        return replace(said, log_speed=log, speeds=self.speeds + 1, speed_at_s=now_s), error

    def after_answer(self, failed: bool, now_s: float) -> "Feedback":
        """Return what is known after an answer, or after a request that never got one."""
        left = decay(now_s - self.answered_at_s, ERROR_HALF_LIFE_S)
        answers, errors = self.answers * left + 1.0, self.errors * left + failed
        return replace(self, answers=answers, errors=errors, answered_at_s=now_s)

    def _next_ttft(self, took_s: float, now_s: float) -> float:
        """Return the mean with one more observation: the older the mean, the less it counts."""
        kept = (1.0 - TTFT_SHARE) * decay(now_s - self.ttft_at_s, TTFT_HALF_LIFE_S)
        return kept * self.ttft_s + (1.0 - kept) * max(0.0, took_s)


NO_FEEDBACK = Feedback()


class Means(Struct, frozen=True):
    """What is learnt of a pool as a whole.

    output_tokens    of an answer
    uncached_tokens  of a prompt, that its endpoint had to compute
    match_ratio      share of a prompt that its endpoint had cached, by tokens
    log_speed        the logarithm of its speed against its coefficients
    """

    output_tokens: float = 256.0
    uncached_tokens: float = 1024.0
    match_ratio: float = 0.3
    log_speed: float = 0.0
    prompts: int = 0
    answers: int = 0
    speeds: int = 0

    def after_pick(self, prompt_tokens: int, uncached_tokens: int) -> "Means":
        """Return the means with one more prompt."""
        if not prompt_tokens:
            return self
        share = max(MEAN_SHARE_MIN, 1.0 / (SPEED_PRIOR + self.prompts + 1))
        hit = 1.0 - uncached_tokens / prompt_tokens
        return replace(
            self,
            uncached_tokens=self.uncached_tokens + share * (uncached_tokens - self.uncached_tokens),
            match_ratio=self.match_ratio + share * (hit - self.match_ratio),
            prompts=self.prompts + 1,
        )

    def after_answer(self, output_tokens: int) -> "Means":
        """Return the means with one more answer."""
        share = max(MEAN_SHARE_MIN, 1.0 / (SPEED_PRIOR + self.answers + 1))
        mean = self.output_tokens + share * (output_tokens - self.output_tokens)
        return replace(self, output_tokens=mean, answers=self.answers + 1)

    def after_error(self, error: float) -> "Means":
        """Return the means after a prediction that was wrong by *error*, a logarithm."""
        share = max(MEAN_SHARE_MIN, 1.0 / (SPEED_PRIOR + self.speeds + 1))
        log = _within(self.log_speed + share * error, SPEED_MAX)
        return replace(self, log_speed=log, speeds=self.speeds + 1)


NO_MEANS = Means()


def _within(log: float, times: float) -> float:
    """Return *log* where it stands for no more than *times* as much, or as little."""
    return min(math.log(times), max(-math.log(times), log))


def decay(age_s: float, half_life_s: float) -> float:
    """Return what is left of a weight after *age_s*, 0..1: half of it after each half-life."""
    return math.exp2(-age_s / half_life_s) if age_s > 0.0 else 1.0
