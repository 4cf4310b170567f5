# SPDX-License-Identifier: Apache-2.0
"""One trained model under conversion: the float original, and the variants made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy.typing as npt

from tinyserve.bundle import (
    TensorInfo,
    dequantize,
    from_source_layout,
    quantize,
    sample_shape,
    to_source_layout,
)
from tinyserve.convert.check import expectation
from tinyserve.convert.frameworks import front_ends
from tinyserve.convert.frameworks.trees import has_trees
from tinyserve.convert.quantize import scaling_front, signal_front
from tinyserve.convert.settings import Options, Record
from tinyserve.convert.sources import SourceModel
from tinyserve.convert.tflite import facts
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.convert.tflite.layers import tensors_of
from tinyserve.convert.worker import messages
from tinyserve.convert.worker.child import Crashed, Worker
from tinyserve.convert.worker.loaded import save_arrays
from tinyserve.datasets.dataset import Dataset
from tinyserve.errors import ModelError, UsageError
from tinyserve.features.run import FeatureRunner
from tinyserve.features.spec import Decision
from tinyserve.progress import Progress
from tinyserve.words import counted

Array = npt.NDArray[Any]


class Session:
    """The model as .tflite (float32, or quantized already), with the worker that loaded it.

    Make it with ``opened``. ``loader`` is the worker that has the source, which may live in an environment
    of its own; ``quantizer`` has TensorFlow's quantizer; ``worker`` does the rest. ``record`` gathers tool
    versions and notes for the manifest. ``undecided``: places of samples, of those that ``reference`` ran
    last, to which other answers are as right.
    """

    def __init__(
        self, worker: Worker, loader: Worker, quantizer: Worker, source: SourceModel, options: Options
    ) -> None:
        self.worker = worker
        self.loader = loader
        self.quantizer = quantizer
        self.options = options
        self.record = Record()
        self.name = str(source.path)
        self.undecided: list[int] = []
        self._references: tuple[list[Array], list[Array]] | None = None
        self.front = front_ends.to_tflite(worker, loader, source, options, self.record)
        self._network = self.front.model
        self._runner = self._with_features()
        if options.labels:
            self.record.labels = _checked_labels(options.labels, self.original)

    def _with_features(self) -> FeatureRunner | None:
        """Puts the features that the options specify in front of the model; runs them for its original."""
        spec = self.options.features
        if spec is None:
            return None
        network, joined = self.worker.path(".tflite"), self.worker.path(".tflite")
        network.write_bytes(self._network.data)
        self.worker.ask(messages.PutFeatures(spec, network, joined), "put features before the model")
        model = facts.inspect(joined.read_bytes(), f"{self.name} with its features")
        model = facts.with_forms(model, [[]], [info.form for info in self._network.outputs])
        self.front = replace(self.front, model=model)
        self._note(
            f"takes raw samples: {counted(len(spec.steps), 'step')} of features are in front of the model"
        )
        return FeatureRunner(spec, tuple(self._network.inputs[0].shape))

    def with_decision(self, model: Inspected, decision: Decision) -> Inspected:
        """The model with a decision behind its scores."""
        source, decided = self.worker.path(".tflite"), self.worker.path(".tflite")
        source.write_bytes(model.data)
        samples = self.options.features.input.samples if self.options.features is not None else 1
        request = messages.PutDecision(decision, samples, source, decided)
        self.worker.ask(request, "put the decision behind the model")
        made = facts.inspect(decided.read_bytes(), f"{self.name} with its decision")
        forms = [[info.form for info in infos] for infos in (model.inputs, model.outputs)]
        return replace(facts.with_forms(made, forms[0], [*forms[1], []]), scheme=model.scheme)

    @property
    def original(self) -> Inspected:
        return self.front.model

    @property
    def in_order(self) -> bool:
        """Whether samples follow one another in time: the model keeps state, or its features are a stream."""
        return self.original.model.keeps_state or self.options.is_stream

    def quantize(self, calibration: Dataset, scheme: str, options: Options) -> Inspected:
        """The original in integers.

        Raises ModelError or UnsupportedError where the quantizer can't, UsageError for a layer to keep that
        is not there.
        """
        _check_scheme(scheme, options)
        if front := signal_front.operators_of(self.original.model):
            names = ", ".join(signal_front.custom_operators(self.original.model))
            if self._runner is not None and has_trees(self._network.model):
                self._note("trees compare the features as they are, in float32")
                return self.original
            if self._runner is None:  # of features it is known what they are
                self._note(f"the front end ({names}) stays as it is: the network behind it is quantized")
            features = partial(self._quantize_features, scheme=scheme, options=options)
            data = self._behind(self.original, front, calibration.inputs, features)
        elif steps := scaling_front.standardizations(self.original.model, calibration.inputs, scheme):
            data = self._quantize_standardized(self.original, steps, calibration.inputs, scheme, options)
        else:
            data = self._quantize(self.original.data, calibration.inputs, scheme, options)
        made = facts.inspect(data, "the quantized model")
        if not front and not steps:
            self._note_blurred(made, calibration, scheme)
        forms = [[info.form for info in infos] for infos in (self.original.inputs, self.original.outputs)]
        made = facts.with_dtypes(made, [info.source_dtype for info in self.original.inputs])
        return facts.with_forms(made, *forms)

    def _note_blurred(self, made: Inspected, calibration: Dataset, scheme: str) -> None:
        """Features that one scale blurs; those of trees have one each."""
        for info, after, values in zip(self.original.inputs, made.inputs, calibration.inputs, strict=True):
            if not after.scales:
                self._note(scaling_front.note(values, info.name, scheme))

    def _quantize(self, data: bytes, inputs: list[Array], scheme: str, options: Options) -> bytes:
        kept = [name for layer in options.keep_float for name in tensors_of(self.original.model, layer)]
        source, target, samples = (self.worker.path(suffix) for suffix in (".tflite", ".tflite", ".npz"))
        source.write_bytes(data)
        save_arrays(samples, inputs)
        request = messages.Quantize(
            source=source,
            output=target,
            samples=samples,
            scheme=scheme,
            per_channel=options.per_channel,
            keep_float=kept,
            clip=options.clip,
        )
        try:
            self.record.tools.update(self.quantizer.ask(request, "quantize").tools)
        except Crashed as error:
            raise self._of_the_quantizer(error) from error
        return target.read_bytes()

    def _of_the_quantizer(self, error: Crashed) -> Crashed:
        """A crash after the model was read and checked: what in it TensorFlow's quantizer can't take."""
        nodes = self.original.model.main.nodes
        loop = next((f"{n.name} #{i}" for i, n in enumerate(nodes) if n.name in ("WHILE", "IF")), "")
        as_it_is = "--quantize float32 takes the model as it is"
        message, end, log = error.message.partition("\n")
        if not loop:
            return Crashed(error.message, f"{as_it_is}; please report it, so that it can be quantized")
        return Crashed(
            f"{message}. TensorFlow's quantizer does not take what is inside of {loop}{end}{log}",
            f"{as_it_is}; or convert the Keras model, SavedModel or ONNX file that it was made from, whose "
            "recurrent layers are rebuilt without a loop",
        )

    def _quantize_features(self, network: bytes, inputs: list[Array], scheme: str, options: Options) -> bytes:
        """The network behind a front end in integers, whose features may be unlike as any."""
        model = facts.inspect(network, "the network behind the front end")
        if steps := scaling_front.standardizations(model.model, inputs, scheme):
            return self._quantize_standardized(model, steps, inputs, scheme, options)
        return self._quantize(network, inputs, scheme, options)

    def _quantize_standardized(
        self,
        network: Inspected,
        steps: list[scaling_front.Standardization],
        inputs: list[Array],
        scheme: str,
        options: Options,
    ) -> bytes:
        """A model in integers behind steps in float that make its features alike."""
        source, made = self.worker.path(".tflite"), self.worker.path(".tflite")
        source.write_bytes(network.data)
        self.worker.ask(messages.Standardize(source, steps, made), "scale the features")
        model = facts.inspect(made.read_bytes(), "the standardized model")
        front = scaling_front.operators_of(model.model)
        self._note(
            "features of unlike ranges: the model takes raw floats and scales each before integers begin"
            if network is self.original
            else "features of unlike ranges: each is scaled in float before integers begin"
        )
        return self._behind(model, front, inputs, partial(self._quantize, scheme=scheme, options=options))

    def _behind(
        self,
        model: Inspected,
        front: list[int],
        inputs: list[Array],
        quantized: Callable[[bytes, list[Array]], bytes],
    ) -> bytes:
        """The network behind a front end in integers, calibrated with what the front end gives, and joined to
        it again."""
        source, first, second, joined = (self.worker.path(".tflite") for _ in range(4))
        source.write_bytes(model.data)
        self.worker.ask(messages.Split(source, front, first, second), "cut the front end off")
        features = self._features(facts.inspect(first.read_bytes(), "the front end"), inputs)
        second.write_bytes(quantized(second.read_bytes(), features))
        self.worker.ask(messages.Join(source, front, second, joined), "join the front end")
        return joined.read_bytes()

    def _note(self, note: str) -> None:
        """Each once, however many schemes are tried; an empty one is none."""
        if note and note not in self.record.notes:
            self.record.notes.append(note)

    def _features(self, model: Inspected, inputs: list[Array]) -> list[Array]:
        """What the front end gives: from TFLM, or compiled."""
        typed = [quantize(a, info) for a, info in zip(inputs, model.inputs, strict=True)]
        outputs, _ = expectation.expected(self.worker, model, typed, Record(), self.options.operators)
        return outputs

    def reference(self, inputs: list[Array]) -> list[Array]:
        """The original's outputs: from its own framework where that has loaded it, else from LiteRT.

        Custom operators that LiteRT lacks are run as in the converted model: by TFLM, or compiled. The
        samples of the last call are not run again.
        """
        if self._references is None or self._references[0] is not inputs:
            self._references = (inputs, self._reference(inputs))
        return self._references[1]

    def _reference(self, inputs: list[Array]) -> list[Array]:
        if self.front.has_original:
            taken = self._network.inputs
            if self._runner is not None:
                inputs = [self._runner.run(inputs[0]).reshape(len(inputs[0]), *sample_shape(taken[0]))]
            given = [to_source_layout(a, info) for a, info in zip(inputs, taken, strict=True)]
            outputs, done = self.loader.run(messages.RunOriginal, given, "run the original")
            self.undecided = done.undecided
            infos = self.original.outputs
            return [from_source_layout(a, info) for a, info in zip(outputs, infos, strict=True)]
        return self.float_outputs(inputs)

    def float_outputs(self, inputs: list[Array]) -> list[Array]:
        """What the .tflite that the front end made gives, from LiteRT (see ``reference``): real units in and
        out, where it came quantized, too."""
        taken, given = self.original.inputs, self.original.outputs
        try:
            outputs = self._from_litert([_typed(a, info) for a, info in zip(inputs, taken, strict=True)])
            return [_real(a, info) for a, info in zip(outputs, given, strict=True)]
        except ModelError:
            custom = sorted(
                {op.name for graph in self.original.model.graphs for op in graph.nodes if op.custom}
            )
            if not custom:
                raise
        typed = [quantize(a, info) for a, info in zip(inputs, self.original.inputs, strict=True)]
        outputs, engine = expectation.expected(
            self.worker, self.original, typed, Record(), self.options.operators
        )
        if self._runner is None:
            self._note(f"the original was run by {engine}: LiteRT cannot run it ({', '.join(custom)})")
        return outputs

    def _from_litert(self, inputs: list[Array]) -> list[Array]:
        model = self.worker.path(".tflite")
        model.write_bytes(self.original.data)
        outputs, done = self.worker.run(
            lambda sent, received: messages.RunTflite("litert", model, sent, received),
            inputs,
            "run the original",
        )
        self.record.tools.update(done.tools)
        return outputs

    def expected(self, model: Inspected, inputs: list[Array]) -> tuple[list[Array], str]:
        """What a converted model must give for inputs of its own types, and what says so."""
        return expectation.expected(self.worker, model, inputs, self.record, self.options.operators)

    def real_outputs(self, model: Inspected, inputs: list[Array]) -> list[Array]:
        """What a converted model gives for inputs in real units, in real units."""
        given = [quantize(a, info) for a, info in zip(inputs, model.inputs, strict=True)]
        outputs, _ = self.expected(model, given)
        return [dequantize(a, info) for a, info in zip(outputs, model.outputs, strict=True)]


def _typed(values: Array, info: TensorInfo) -> Array:
    return quantize(values, info) if info.scale else values


def _real(values: Array, info: TensorInfo) -> Array:
    return dequantize(values, info) if info.scale else values


def _checked_labels(labels: tuple[str, ...], model: Inspected) -> list[str]:
    """Raises UsageError for names of another number than any output's values."""
    counts = [max(2, info.shape[-1]) for info in model.outputs if info.shape]
    if len(labels) not in counts:
        listed = " and ".join(map(str, counts))
        raise UsageError(
            f"--labels names {counted(len(labels), 'class', 'classes')}, the model's outputs "
            f"have {listed} values",
            "write one name per line, in the order of the outputs",
        )
    return list(labels)


def _check_scheme(scheme: str, options: Options) -> None:
    if scheme == "int16x8" and options.clip:
        raise UsageError("--clip is for int8: 16 bits have levels to spare", "leave it out")


@contextmanager
def opened(source: SourceModel, options: Options, progress: Progress) -> Iterator[Session]:
    """A session whose worker processes end with the ``with`` block, however it ends."""
    apart, quantizing = front_ends.isolated(source), front_ends.isolated_quantizer()
    with ExitStack() as stack:
        worker = stack.enter_context(Worker(progress, options.timeout_s))
        workers: dict[Sequence[str] | None, Worker] = {None: worker}
        for command in (apart, quantizing):
            if command is not None and command not in workers:
                other = Worker(progress, options.timeout_s, command=command)
                workers[command] = stack.enter_context(other)
        yield Session(worker, workers[apart], workers[quantizing], source, options)
