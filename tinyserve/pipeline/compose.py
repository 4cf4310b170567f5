# SPDX-License-Identifier: Apache-2.0
"""A pipeline as one .tflite: the graphs of its nodes, those with a condition as the branch of an IF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tinyserve.compiler.events import METADATA, MOST_EVENTS, Events, EventSource, encoded
from tinyserve.compiler.graph.transplant import Transplant
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.errors import DataError, TinyserveError, UnsupportedError
from tinyserve.escapes import visible
from tinyserve.features import decision as decisions
from tinyserve.pipeline import condition as conditions
from tinyserve.pipeline import front, policies
from tinyserve.pipeline.branches import run_if
from tinyserve.pipeline.flags import Flags, Scope
from tinyserve.pipeline.mixing import Voice, averaged, voted
from tinyserve.pipeline.parts import Part, entry_of, opened, sources_of
from tinyserve.pipeline.places import listed, node_of, places_of, plain, renamed
from tinyserve.pipeline.sharing import Shared
from tinyserve.pipeline.spec import AverageNode, DecisionNode, GuardNode, MixNode, ModelNode, Node, Pipeline
from tinyserve.pipeline.values import Desk, Kind, Value, kind_of
from tinyserve.words import counted

RAN = "ran"
"""The output that says of each node whether it ran (was asked for), int32 [1, nodes]."""
METADATA_NODES = "tinyserve.pipeline"
"""Metadata of the file: the names of the nodes, a line each, as ``ran`` has them."""
EVENT = Kind((1, 2), "int32")
ASKED = Kind((1, 1), "int32")


@dataclass(frozen=True)
class Composed:
    """The file, and what is known of it. ``order``: nodes as they run; ``sources``: of each input of the
    pipeline the part that it was made for; ``main``: the node that gives the first output."""

    data: bytes
    parts: dict[str, Part]
    order: list[str]
    conditional: list[str]
    input_names: list[str]
    output_names: list[str]
    main: str
    samples: int
    rate_hz: float
    stream: bool


@dataclass(frozen=True)
class _Input:
    """An input of the pipeline, and whose it was first."""

    value: Value
    part: Part


def compose(pipeline: Pipeline, directory: Path) -> Composed:
    """Writes the pipeline's file. ``directory``: what paths in the description start from.

    Raises DataError for what does not fit together (a cycle, an output that is not there, shapes, types,
    rates), UnsupportedError, and what opening the models raises.
    """
    parts = {node.name: opened(node, directory) for node in pipeline.nodes if isinstance(node, ModelNode)}
    return _Composer(pipeline, parts).composed()


class _Composer:
    def __init__(self, pipeline: Pipeline, parts: dict[str, Part]) -> None:
        self.pipeline = pipeline
        self.nodes = {node.name: node for node in pipeline.nodes}
        self.parts = parts
        self.whens = {
            node.name: conditions.parse(node.when, f"node '{node.name}'")
            for node in pipeline.nodes
            if node.when
        }
        self.order = self._ordered()
        self.writer = GraphWriter("tinyserve: pipeline")
        self.shared = Shared()
        self.inputs: dict[str, _Input] = {}
        self.values: dict[str, list[Value]] = {}
        self.ran: dict[str, int | None] = {}
        self.events: list[tuple[EventSource, list[Value]]] = []

    def composed(self) -> Composed:
        for name in self.order:
            node = self.nodes[name]
            try:
                self._add(node)
            except TinyserveError as error:
                named = error.message if f"'{name}'" in error.message else f"node '{name}': {error.message}"
                raise type(error)(named, error.hint) from error
        rate_hz, stream, samples = self._time()
        outputs = self._outputs()
        main = self._main_node()
        outputs, sources = self._with_events(outputs)
        self.writer.metadata(METADATA, encoded(Events(sources, samples)))
        self.writer.metadata(METADATA_NODES, "\n".join(self.nodes).encode())
        self.writer.signature(list(self.inputs), [name for name, _ in outputs])
        given = [one.value.tensor for one in self.inputs.values()]
        data = self.writer.build(given, [value.tensor for _, value in outputs])
        return Composed(
            data, self.parts, self.order, [name for name in self.nodes if self.ran[name] is not None],
            list(self.inputs), [name for name, _ in outputs], main, samples, rate_hz, stream,
        )  # fmt: skip

    # --- order

    def _ordered(self) -> list[str]:
        """Nodes, each behind those that it needs. Raises DataError for a cycle."""
        graph = {name: set(self._needs(node)) for name, node in self.nodes.items()}
        sorter = TopologicalSorter(graph)
        try:
            sorter.prepare()
        except CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            raise DataError(
                f"the nodes go round in a circle: {circle}", "break it: no node waits for itself"
            ) from error
        found: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=list(self.nodes).index)
            found += ready
            sorter.done(*ready)
        return found

    def _needs(self, node: Node) -> list[str]:
        asked = list(conditions.nodes_of(self.whens[node.name])) if node.name in self.whens else []
        for name in asked:
            if name not in self.nodes:
                raise DataError(
                    f"node '{node.name}': when asks about '{name}', and there is no such node",
                    f"there are: {', '.join(self.nodes)}",
                )
        named = [node_of(place) for place in places_of(node)]
        return asked + [name for name in named if name in self.nodes]

    # --- places

    def value(self, place: str) -> Value:
        """What a place in the description gives."""
        name, _, output = place.partition(".")
        if name not in self.nodes:
            raise DataError(f"there is no node '{name}'", f"there are: {', '.join(self.nodes)}")
        values = self.values[name]
        if not values:
            raise DataError(
                f"'{place}' is on the gateway: what it gives does not come back to the device",
                "let only nodes on the gateway take it",
            )
        if not output:
            return values[0]
        if name in self.parts:
            return values[entry_of(self.parts[name], output)]
        node = self.nodes[name]
        known = _outputs_of(node)
        if output not in (*known, *map(str, range(len(known)))):
            raise DataError(f"node '{name}' has no output '{output}'", f"it has: {', '.join(known)}")
        return values[known.index(output) if output in known else int(output)]

    def known(self, place: str) -> Value:
        """What a place gives that may be an input of the pipeline which a node before has taken."""
        given = self.inputs.get(place)
        return given.value if given is not None and node_of(place) not in self.nodes else self.value(place)

    def labels(self, place: str) -> Sequence[str]:
        """The names of the classes that a place has scores of."""
        name = node_of(place)
        node = self.nodes.get(name)
        if isinstance(node, MixNode):
            return self.labels(node.input[0])
        if isinstance(node, (DecisionNode, GuardNode)):
            return self.labels(node.input)
        return self.parts[name].labels if name in self.parts else ()

    def _flag(self, name: str) -> int | None:
        if name not in self.nodes:
            raise DataError(f"there is no node '{name}'", f"there are: {', '.join(self.nodes)}")
        return self.ran[name]

    # --- nodes

    def _add(self, node: Node) -> None:
        desk = Desk(self.writer, node.name)
        flags = Flags(desk, Scope(self.value, self.labels, self._flag), f"node '{node.name}'")
        own = flags.of(self.whens[node.name]) if node.name in self.whens else None
        if isinstance(node, ModelNode):
            sources = self._sources(self.parts[node.name])
            needed = [self.ran[name] for name in self._needs(node) if name in self._fed(node)]
            self.ran[node.name] = flags.all([own, *needed])
            if node.where == "gateway":
                self._ask(node, desk, sources)
            else:
                self._run(node, desk, sources)
            return
        places = places_of(node)
        there = [self.ran.get(node_of(place)) for place in places if self.known(place)]
        reached = flags.any(there) if isinstance(node, MixNode) else flags.all(there)
        self.ran[node.name] = flags.all([own, reached])
        if isinstance(node, DecisionNode):
            self._decide(node, desk)
        elif isinstance(node, MixNode):
            self._mix(node, desk, there)
        else:
            self._apply(node, desk, [self.known(place) for place in places])

    def _fed(self, node: Node) -> set[str]:
        return {node_of(place) for place in places_of(node)}

    def _sources(self, part: Part) -> list[list[Value]]:
        """What each of a model's inputs is made of."""
        return [
            [self._source(place, part, index) for place in places]
            for index, places in enumerate(sources_of(part))
        ]

    def _source(self, place: str, part: Part, index: int) -> Value:
        if node_of(place) in self.nodes:
            return self.value(place)
        wanted = kind_of(part.inputs[index])
        known = self.inputs.get(place)
        if known is None:
            if place != plain(place) or not place[0].isalpha():
                raise DataError(
                    f"'{visible(place)}' is no node, and no name for an input of the pipeline",
                    "letters, digits and underscores",
                )
            tensor = self.writer.tensor(place, wanted.shape, wanted.dtype, wanted.quantization)
            value = Value(tensor, wanted, f"input '{place}'", wanted.zero)
            self.inputs[place] = _Input(value, part)
            return value
        self._check_shared(place, known.part, part)
        if known.value.kind.dtype != wanted.dtype:
            raise DataError(
                f"input '{place}' is {known.value.kind.dtype} for '{known.part.node.name}', and"
                f" {wanted.dtype} for '{part.node.name}'",
                "models that take one input take it in one type; or name another input",
            )
        return known.value

    def _check_shared(self, place: str, first: Part, second: Part) -> None:
        said = f"input '{place}' of '{first.node.name}' and '{second.node.name}'"
        if first.rate_hz and second.rate_hz and first.rate_hz != second.rate_hz:
            raise DataError(
                f"{said}: {first.rate_hz:g} and {second.rate_hz:g} samples per second",
                'features of one rate, or a step of kind "decimate" in front of the slower one',
            )
        if first.stream != second.stream:
            alone = second if first.stream else first
            raise DataError(
                f"{said}: one is a stream, and '{alone.node.name}' takes each inference alone",
                "[input] stream = true in the features of both",
            )

    # --- models on the device

    def _run(self, node: ModelNode, desk: Desk, sources: list[list[Value]]) -> None:
        part = self.parts[node.name]
        grown = Transplant(part.data, node.name, lambda name: renamed(node.name, name))
        everything = list(range(len(part.model.main.nodes)))
        places: dict[int, int] = {}
        flag = self.ran[node.name]
        if flag is None:
            self._prepare(part, desk, sources, places, part.inputs)
            self.shared.put(grown, self.writer, part, everything, places)
            tensors = [grown.place(self.writer, one.index, places) for one in part.outputs]
            described = zip(self._described(part), tensors, strict=True)
            self._keep(node, part, [replace(value, tensor=tensor) for value, tensor in described])
            return
        first = self.shared.with_known(part, front.every_time(part), self._known_inputs(part, sources))
        rest = [number for number in everything if number not in first]
        self._prepare(part, desk, sources, places, front.read_by(part, first) if first else [])
        self.shared.put(grown, self.writer, part, first, places)
        self._keep(node, part, self._branch(part, sources, places, rest, grown))

    def _known_inputs(self, part: Part, sources: list[list[Value]]) -> dict[int, int]:
        """Tensors that stand for a model's inputs as they are."""
        return {
            tensor.index: given[0].tensor
            for tensor, given in zip(part.inputs, sources, strict=True)
            if len(given) == 1 and given[0].kind == kind_of(tensor)
        }

    def _prepare(
        self,
        part: Part,
        desk: Desk,
        sources: list[list[Value]],
        places: dict[int, int],
        wanted: Sequence[object],
    ) -> None:
        """Puts the inputs that are wanted where the model's operators find them."""
        for tensor, given, name in zip(part.inputs, sources, part.input_names, strict=True):
            if any(tensor is one for one in wanted):
                places[tensor.index] = _taken(desk, given, kind_of(tensor), name).tensor

    def _branch(
        self,
        part: Part,
        sources: list[list[Value]],
        places: dict[int, int],
        rest: list[int],
        grown: Transplant,
    ) -> list[Value]:
        """The operators that run only where the node does. ``places``: what is in the main graph already."""
        name, flag = part.node.name, self.ran[part.node.name]
        assert flag is not None
        read = front.read_by(part, rest)
        there = [Value(places[one.index], kind_of(one), one.name) for one in read if one.index in places]
        raw = [
            (tensor, given, called)
            for tensor, given, called in zip(part.inputs, sources, part.input_names, strict=True)
            if any(tensor is one for one in read) and tensor.index not in places
        ]

        def work(desk: Desk, entered: dict[int, int]) -> list[int]:
            inside = {one.index: entered[places[one.index]] for one in read if one.index in places}
            for tensor, given, called in raw:
                values = [replace(value, tensor=entered[value.tensor]) for value in given]
                inside[tensor.index] = _taken(desk, values, kind_of(tensor), called).tensor
            grown.put(desk.writer, rest, inside)
            return [grown.place(desk.writer, one.index, inside) for one in part.outputs]

        given = [*there, *(value for _, values, _ in raw for value in values)]
        return run_if(self.writer, flag, name, given, self._described(part), work=work)

    def _described(self, part: Part) -> list[Value]:
        """The model's outputs, without tensors yet. The event of a decision that is not made is none."""
        events = {source.output for source in part.events.sources}
        return [
            Value(
                -1,
                kind_of(tensor),
                f"'{part.node.name}.{name}'",
                -1 if index in events else kind_of(tensor).zero,
            )
            for index, (tensor, name) in enumerate(zip(part.outputs, part.output_names, strict=True))
        ]

    def _keep(self, node: ModelNode, part: Part, values: list[Value]) -> None:
        self.values[node.name] = values
        for source in part.events.sources:
            name = node.name if len(part.events.sources) == 1 else f"{node.name}_{source.name}"[:32]
            self.events.append((EventSource(name, 0), [values[source.output]]))

    # --- models on the gateway

    def _ask(self, node: ModelNode, desk: Desk, sources: list[list[Value]]) -> None:
        """What the gateway is to be given: each input as its model takes it, where it is asked for."""
        part, flag = self.parts[node.name], self.ran[node.name]
        if flag is None:
            raise DataError(
                'where = "gateway" without a condition would send every inference',
                'when = "max(small.scores) < 0.7"',
            )
        number = desk.builtin("CAST", "CastOptions", [flag], Kind((1,), "int32"))
        row = desk.reshaped(Value(number, Kind((1,), "int32"), node.name), ASKED.shape)
        asked = desk.builtin("SUB", "SubOptions", [row.tensor, desk.constant([[1]], "int32")], ASKED)
        payload = [
            self._sent(f"{node.name}_{plain(name)}", flag, given, kind_of(tensor), name)
            for tensor, given, name in zip(part.inputs, sources, part.input_names, strict=True)
        ]
        self.values[node.name] = []
        self.events.append((EventSource(node.name, 0), [Value(asked, ASKED, node.name), *payload]))

    def _sent(self, name: str, flag: int, given: list[Value], wanted: Kind, entry: str) -> Value:
        """An input of a model that runs elsewhere: as it is there already, or made where it is asked for."""
        if len(given) == 1 and given[0].kind == wanted:
            return replace(given[0], what=entry)

        def work(desk: Desk, entered: dict[int, int]) -> list[int]:
            values = [replace(value, tensor=entered[value.tensor]) for value in given]
            return [_taken(desk, values, wanted, entry).tensor]

        template = Value(-1, wanted, entry, wanted.zero)
        return run_if(self.writer, flag, name, given, [template], work=work)[0]

    # --- what has no model

    def _decide(self, node: DecisionNode, desk: Desk) -> None:
        scores, flag = self.value(node.input), self.ran[node.name]
        known = scores.kind

        def work(desk: Desk, entered: dict[int, int]) -> list[int]:
            event = decisions.write(
                desk.writer, node, entered[scores.tensor], shape=known.shape, dtype=known.dtype,
                quantization=known.quantization, name=node.name,
            )  # fmt: skip
            return [event]

        value = Value(-1, EVENT, f"'{node.name}.event'", -1)
        if flag is None:
            value = replace(value, tensor=work(desk, {scores.tensor: scores.tensor})[0])
        else:
            (value,) = run_if(self.writer, flag, node.name, [scores], [value], work=work)
        self.values[node.name] = [value]
        self.events.append((EventSource(node.name, 0), [value]))

    def _mix(self, node: MixNode, desk: Desk, flags: Sequence[int | None]) -> None:
        weights = node.weights or [1.0] * len(node.input)
        if len(weights) != len(node.input) or not sum(weights):
            raise DataError(
                f"{counted(len(weights), 'weight')} for {len(node.input)} places",
                "one each, not all of them 0",
            )
        voices = [
            Voice(self.value(place), weight, flag)
            for place, weight, flag in zip(node.input, weights, flags, strict=True)
        ]
        made = (averaged if isinstance(node, AverageNode) else voted)(desk, voices)
        self.values[node.name] = [replace(made, what=f"'{node.name}.scores'")]

    def _apply(self, node: policies.Policy, desk: Desk, given: list[Value]) -> None:
        results, flag = policies.described(node, given), self.ran[node.name]
        work = policies.work(node, given)
        if flag is None:
            tensors = work(desk, {value.tensor: value.tensor for value in given})
            results = [replace(one, tensor=tensor) for one, tensor in zip(results, tensors, strict=True)]
        else:
            results = run_if(self.writer, flag, node.name, given, results, work=work)
        self.values[node.name] = results

    # --- the pipeline's own

    def _time(self) -> tuple[float, bool, int]:
        """Rate, whether inferences are a stream, and samples in time that one takes."""
        parts = [one.part for one in self.inputs.values()]
        rates = {part.rate_hz for part in parts if part.rate_hz}
        wanted = self.pipeline.rate_hz
        if wanted and rates and rates != {wanted}:
            other = next(part for part in parts if part.rate_hz and part.rate_hz != wanted)
            raise DataError(
                f"the pipeline has {wanted:g} samples per second, and node '{other.node.name}' takes"
                f" {other.rate_hz:g}",
                "convert that model with features of the same rate, or correct rate_hz",
            )
        spans = [part.events.samples for part in parts if part.events.samples > 1]
        shapes = [kind_of(part.inputs[0]).sample_shape for part in parts if part.stream and part.has_features]
        samples = spans[0] if spans else shapes[0][0] if shapes and shapes[0] else 1
        return wanted or next(iter(rates), 0.0), any(part.stream for part in parts), samples

    def _main_places(self) -> list[str]:
        if self.pipeline.outputs:
            return listed(next(iter(self.pipeline.outputs.values())))
        scored = [
            name
            for name in self.order
            if self.values[name] and not isinstance(self.nodes[name], DecisionNode)
        ]
        if not scored:
            raise DataError("no node on the device gives scores", "[outputs]")
        return [scored[-1]]

    def _main_node(self) -> str:
        return node_of(self._main_places()[0])

    def _outputs(self) -> list[tuple[str, Value]]:
        wanted = self.pipeline.outputs
        if not wanted:
            (place,) = self._main_places()
            wanted = {
                "scores" if place not in self.parts else plain(self.parts[place].output_names[0]): place
            }
        return [(name, self._first_that_ran(name, listed(places))) for name, places in wanted.items()]

    def _first_that_ran(self, name: str, places: list[str]) -> Value:
        """One of several values: the first whose node ran."""
        desk = Desk(self.writer, name)
        try:
            values = [self.value(place) for place in places]
            kind = values[0].kind
            found = desk.taken_as(values[-1], kind, f"output '{name}'")
            for place, value in list(zip(places, values, strict=True))[-2::-1]:
                flag = self.ran[node_of(place)]
                taken = desk.taken_as(value, kind, f"output '{name}'")
                if flag is None:
                    found = taken
                    continue
                inputs = [flag, taken.tensor, found.tensor]
                made = desk.builtin("SELECT_V2", "SelectV2Options", inputs, kind)
                found = replace(found, tensor=made)
        except TinyserveError as error:
            raise type(error)(f"[outputs] {name}: {error.message}", error.hint) from error
        return found

    def _with_events(
        self, outputs: list[tuple[str, Value]]
    ) -> tuple[list[tuple[str, Value]], list[EventSource]]:
        """The outputs, and behind them those of events, and which nodes ran."""
        if len(self.events) > MOST_EVENTS:
            raise UnsupportedError(f"{len(self.events)} nodes give events", f"{MOST_EVENTS} at most")
        found = list(outputs)
        sources = []
        for source, values in self.events:
            first = len(found)
            found.append((source.name, values[0]))
            found += [(f"{source.name}_{plain(value.what)}", value) for value in values[1:]]
            payload = list(range(first + 1, len(found)))
            sources.append(EventSource(source.name, first, payload))
        if any(flag is not None for flag in self.ran.values()):
            found.append((RAN, self._who_ran()))
        return found, sources

    def _who_ran(self) -> Value:
        desk = Desk(self.writer, RAN)
        always = desk.constant([True], "bool") if None in self.ran.values() else -1
        flags = [always if self.ran[name] is None else self.ran[name] for name in self.nodes]
        row = Kind((len(flags),), "bool")
        joined = desk.builtin(
            "CONCATENATION", "ConcatenationOptions", [flag for flag in flags if flag is not None], row, axis=0
        )
        shaped = desk.reshaped(Value(joined, row, RAN), (1, len(flags)))
        kind = Kind((1, len(flags)), "int32")
        return Value(desk.builtin("CAST", "CastOptions", [shaped.tensor], kind, name="nodes"), kind, RAN)


def _outputs_of(node: Node) -> tuple[str, ...]:
    """The names of what a node without a model gives."""
    if isinstance(node, DecisionNode):
        return ("event",)
    return policies.OUTPUTS[type(node)] if isinstance(node, policies.Policy) else ("scores",)


def _taken(desk: Desk, given: list[Value], wanted: Kind, name: str) -> Value:
    joined = given[0] if len(given) == 1 else desk.joined(given)
    return desk.taken_as(joined, wanted, f"its input '{name}'")
