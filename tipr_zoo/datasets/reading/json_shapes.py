"""Shapes of caption files that are no list of records: COCO's, Karpathy's, and captions by the picture's path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from tipr_zoo.pictures.files import PICTURE_SUFFIXES


def records_of_shape(content: Mapping[str, Any]) -> tuple[list[Any], list[str]] | None:
    """Turn a file of one of the known shapes into records with ``image``, ``caption`` and whatever else it says.

    - COCO: ``{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}``. One record a caption.
    - Karpathy: ``{"images": [{"filepath", "filename", "split", "sentences": [{"raw"}]}]}``. One record a picture.
    - By path: ``{"a.jpg": "a caption"}``, a list of captions, or an object with the other keys of a record.

    Args:
        content: What the file holds.

    Returns:
        The records, and the keys of the file's lists that were not read. None if it has another shape.
    """
    images, annotations = content.get("images"), content.get("annotations")
    if _are_objects_with(images, "file_name") and _are_objects_with(annotations, "image_id"):
        if not any("caption" in annotation for annotation in annotations):
            return None
        return list(_coco_records(images, annotations)), _other_lists(content, "images", "annotations")
    if _are_objects_with(images, "sentences"):
        return [_karpathy_record(image) for image in images], _other_lists(content, "images")
    if content and all(os.path.splitext(str(key))[1].lower() in PICTURE_SUFFIXES for key in content):
        return [record for path, value in content.items() for record in _records_by_path(path, value)], []
    return None


def shape_of(content: Any) -> str:
    """Say in a few words what a JSON file seems to be that holds no captions of pictures, for a message."""
    if not isinstance(content, Mapping):
        return "JSON without records" if not isinstance(content, list) else "a JSON list without captions of pictures"
    if _are_objects_with(content.get("annotations"), "bbox"):
        return "COCO's boxes, without captions"
    if _are_objects_with(content.get("annotations"), "image_id"):
        return "COCO's annotations without the pictures that they name"
    keys = ", ".join(map(str, list(content)[:4])) + (", ..." if len(content) > 4 else "")
    return f"a JSON object of {keys}" if content else "an empty JSON object"


def _are_objects_with(values: Any, key: str) -> TypeGuard[list[Mapping[str, Any]]]:
    """Return whether a value is a list of objects, of which the first has a key."""
    return (
        isinstance(values, list)
        and bool(values)
        and all(isinstance(value, Mapping) for value in values)
        and key in values[0]
    )


def _other_lists(content: Mapping[str, Any], *read: str) -> list[str]:
    return [key for key, value in content.items() if isinstance(value, list) and value and key not in read]


def _coco_records(images: list[Mapping[str, Any]], annotations: list[Mapping[str, Any]]) -> Iterator[Any]:
    by_id = {image.get("id"): image for image in images if isinstance(image.get("id"), (int, str))}
    captioned = set()
    for number, annotation in enumerate(annotations):
        key = annotation.get("image_id")
        image = by_id.get(key) if isinstance(key, (int, str)) else None
        if image is None:
            yield f"annotation {number} is of image_id {key!r}, which no image has; add that image, or remove it"
            continue
        captioned.add(key)
        # The id of either is a number in this file, not that of a person.
        own = {name: value for name, value in annotation.items() if name not in ("id", "image_id")}
        yield _without(image, "id", "file_name") | own | {"image": image.get("file_name")}
    for key, image in by_id.items():
        if key not in captioned:
            yield _without(image, "id", "file_name") | {"image": image.get("file_name"), "caption": None}


def _karpathy_record(image: Mapping[str, Any]) -> Any:
    name = image.get("filename", image.get("file_name"))
    folder, sentences = image.get("filepath"), image.get("sentences")
    path = f"{folder}/{name}" if isinstance(folder, str) and folder and isinstance(name, str) else name
    captions = [_sentence(sentence) for sentence in sentences] if isinstance(sentences, list) else sentences
    rest = _without(image, "filename", "file_name", "filepath", "sentences", "sentids", "imgid", "cocoid")
    return rest | {"image": path, "caption": captions}


def _sentence(sentence: Any) -> Any:
    if not isinstance(sentence, Mapping):
        return sentence
    tokens = sentence.get("tokens")
    return sentence.get("raw", " ".join(map(str, tokens)) if isinstance(tokens, list) else None)


def _records_by_path(path: str, value: Any) -> Iterator[Any]:
    values = value if isinstance(value, list) and any(isinstance(each, Mapping) for each in value) else [value]
    for each in values:
        yield {**each, "image": path} if isinstance(each, Mapping) else {"image": path, "caption": each}


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
