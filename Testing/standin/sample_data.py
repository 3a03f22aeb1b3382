"""The part of Slicer's module ``SampleData`` with which modules register their samples."""

from __future__ import annotations

import inspect
import types

import slicer

_LISTS = ("uris", "fileNames", "nodeNames", "checksums", "loadFiles", "loadFileTypes")


class SampleDataSource:
    """One sample; what the real one would trip over when it is registered or shown is refused."""

    def __init__(
        self,
        sampleName=None,
        sampleDescription=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        checksums=None,
        loadFiles=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFileProperties=None,
    ) -> None:
        given = (uris, fileNames, nodeNames, checksums, loadFiles, loadFileTypes)
        values = dict(zip(_LISTS, given, strict=True))
        if isinstance(uris, str):
            values = {name: [value] for name, value in values.items()}
        elif isinstance(uris, (list, tuple)):
            optional = ("nodeNames", "checksums", "loadFiles", "loadFileTypes")
            missing = [name for name in optional if values[name] is None]
            values.update({name: [None] * len(uris) for name in missing})
        if len({len(value) for value in values.values()}) != 1:
            raise ValueError("All fields of sample data source must have the same length")
        vars(self).update(values)
        self.sampleName, self.sampleDescription = sampleName, sampleDescription or sampleName
        self.customDownloader, self.thumbnailFileName = customDownloader, thumbnailFileName
        self.loadFileProperties = loadFileProperties or {}

    def __eq__(self, other) -> bool:
        return vars(self) == vars(other)

    __hash__ = None


class SampleDataLogic:
    """Registration of samples; nothing is downloaded."""

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFiles=None,
        loadFileProperties=None,
        checksums=None,
        loadFileType=None,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("category", "loadFileType")}
        known = inspect.signature(SampleDataSource).parameters
        source = SampleDataSource(**{name: value for name, value in arguments.items() if name in known})
        sources = SampleDataLogic.sampleDataSourcesByCategory().setdefault(category, [])
        if source not in sources:
            sources.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category=None):
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        sources = slicer.modules.sampleDataSources
        return sources if category is None else sources.get(category, [])


def click(sample_name: str) -> object:
    """Click a sample's button in the module's widget, as ``SampleDataWidget`` connects it."""
    found = [
        source
        for sources in SampleDataLogic.sampleDataSourcesByCategory().values()
        for source in sources
        if source.sampleName == sample_name
    ]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} samples are named {sample_name}.")
    return found[0].customDownloader(found[0])


def install(module) -> None:
    """Make the module ``SampleData``."""
    module("SampleData", SampleDataLogic=SampleDataLogic, SampleDataSource=SampleDataSource)


def clear() -> None:
    """Forget all samples."""
    if isinstance(getattr(slicer, "modules", None), types.ModuleType):
        slicer.modules.sampleDataSources = {}
