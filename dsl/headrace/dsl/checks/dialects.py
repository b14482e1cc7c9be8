"""The dialects of metrics that a policy names: built in, or a file beside the policy."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.dsl.dialects import reading
from headrace.dsl.dialects.builtin import built_in, vllm
from headrace.dsl.dialects.dialect import Dialect
from headrace.dsl.problems.diagnostic import Problems
from headrace.dsl.problems.suggest import did_you_mean
from headrace.dsl.source import Source
from headrace.dsl.syntax.reading import (
    DIALECT_SUFFIX,
    FILES_MAX,
    ImportFault,
    Reader,
    path_fault,
)
from headrace.dsl.syntax.tree import Word
from headrace.dsl.vocabulary import GPU_SOURCES, METRIC_DIALECTS


@dataclass(slots=True)
class Dialects:
    """Finds dialects, each file read once. Written while one policy is checked."""

    reader: Reader
    problems: Problems
    _read: dict[str, Dialect | None] = field(default_factory=dict[str, Dialect | None])

    def of_servers(self, word: Word | None) -> Dialect:
        """Return what `metrics WORD` names; after reporting that it names none, vllm's."""
        if word is None:
            return vllm()
        found = self._find(word, METRIC_DIALECTS, "dialects")
        if found is not None and not (found.waiting or found.running):
            message = f"`{word.text}` says neither where the queue nor where the running ones stand"
            help_ = "it is a source of `gpu` only; add `[queue]` to it"
            self.problems.add("S214", word.span, message, "no metrics of servers", help_)
        return found or vllm()

    def of_devices(self, word: Word) -> Dialect | None:
        """Return what `gpu from WORD` names, or None after reporting that it names none."""
        found = self._find(word, GPU_SOURCES, "sources")
        if found is not None and not found.gpu:
            message = f"`{word.text}` does not say where the utilisation stands"
            help_ = 'add `[gpu]` with `metric = "..."` to it'
            self.problems.add("S214", word.span, message, "no utilisation", help_)
            return None
        return found

    def _find(self, word: Word, known: Sequence[str], noun: str) -> Dialect | None:
        if word.text in known:
            return built_in(word.text)
        if word.text.endswith(DIALECT_SUFFIX):
            return self._file(word)
        help_ = did_you_mean(word.text, known, noun)
        help_ += "" if help_.startswith("did") else f'; or a file: `"my-server{DIALECT_SUFFIX}"`'
        what = "metrics dialect" if known is METRIC_DIALECTS else "source of utilisation"
        self.problems.add("S214", word.span, f"unknown {what} `{word.text}`", "unknown", help_)
        return None

    def _file(self, word: Word) -> Dialect | None:
        source = self._opened(word)
        if source is None:
            return None
        if source.name not in self._read:
            self._read[source.name] = self._made(word.text, source)
        return self._read[source.name]

    def _opened(self, word: Word) -> Source | None:
        sources = self.reader.sources
        given = next((s for s in sources if s.name == word.text), None)
        if given is not None:
            return given
        message, help_ = path_fault(word.text, DIALECT_SUFFIX, "metrics")
        if not message and len(sources) >= FILES_MAX:
            message, help_ = f"a policy has at most {FILES_MAX} files", "use one dialect for all"
        if not message and self.reader.loader is None:
            message, help_ = "files cannot be followed here", "give all files to the command"
        if not message:
            assert self.reader.loader is not None, "refused above"
            try:
                source = self.reader.loader(word.text, word.span.source)
            except ImportFault as fault:
                message, help_ = str(fault), fault.help
            else:
                if source.name not in {s.name for s in sources}:
                    sources.append(source)  # so that the digest knows it
                return source
        self.problems.add("S225", word.span, message, "cannot be read", help_)
        return None

    def _made(self, name: str, source: Source) -> Dialect | None:
        table = reading.parsed(source, Problems())
        base = None
        parent = reading.extends(table) if table else ""
        if table and "extends" in table:
            if parent not in METRIC_DIALECTS:
                help_ = f"one of {', '.join(METRIC_DIALECTS)}"
                span = reading.key_span(source, "extends")
                message = "`extends` names a built-in dialect"
                self.problems.add(reading.CODE, span, message, "unknown", help_)
                return None
            base = built_in(parent)
        return reading.read(name, source, self.problems, base)
