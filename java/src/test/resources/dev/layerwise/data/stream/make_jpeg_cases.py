#!/usr/bin/env python3
"""Makes jpeg-cases.zip: JPEG files, and beside each X.jpg X.jpg.png, the pixels that PIL makes of it, turned upright.

Made with PIL 9.4.0, libjpeg-turbo 2.1.5 (and its cjpeg) and NumPy; the tests need none of them.
"""
import io
import struct
import subprocess
import zipfile

import numpy
from PIL import Image, ImageCms, ImageOps

WIDTH, HEIGHT = 19, 13


def picture(bands=3, width=WIDTH, height=HEIGHT):
    """Smooth colours, no two bands or corners alike."""
    y, x = numpy.mgrid[0:height, 0:width].astype(float)
    levels = [255 * x / (width - 1), 255 * y / (height - 1), 127 + 120 * numpy.sin(x / 3) * numpy.cos(y / 4),
              60 + 50 * numpy.cos(x / 5 + y / 3)]
    array = numpy.stack([band.astype(numpy.uint8) for band in levels[:bands]], axis=2)
    return Image.fromarray(array[..., 0] if bands == 1 else array, {1: "L", 3: "RGB", 4: "CMYK"}[bands])


def pil_jpeg(image, **options):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


def cjpeg(*options, image=None):
    stream = io.BytesIO()
    (image or picture()).save(stream, "PPM")
    return subprocess.run(["cjpeg", "-quality", "90", *options], input=stream.getvalue(), stdout=subprocess.PIPE,
                          check=True).stdout


def segments(jpeg):
    """The segments before the first scan, and all from there on."""
    parts = []
    at = 2
    while jpeg[at + 1] != 0xDA:
        length = struct.unpack(">H", jpeg[at + 2:at + 4])[0]
        parts.append(jpeg[at:at + 2 + length])
        at += 2 + length
    return parts, jpeg[at:]


def segment(marker, payload):
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def rebuild(parts, scan):
    return b"\xff\xd8" + b"".join(parts) + scan


def with_app(jpeg, *apps, first=True):
    """The file with these APPn segments instead of its own, before or after the other segments."""
    parts, scan = segments(jpeg)
    own = [part for part in parts if not 0xE0 <= part[1] <= 0xEF]
    return rebuild(list(apps) + own if first else own + list(apps), scan)


def with_ids(jpeg, *ids):
    """The file with other component identifiers."""
    parts, scan = segments(jpeg)
    new_ids = {}
    for number, part in enumerate(parts):
        if part[1] in (0xC0, 0xC1, 0xC2):
            part = bytearray(part)
            for component in range(part[9]):
                new_ids[part[10 + 3 * component]] = ids[component]
                part[10 + 3 * component] = ids[component]
            parts[number] = bytes(part)
    scan = bytearray(scan)
    for component in range(scan[4]):
        scan[5 + 2 * component] = new_ids[scan[5 + 2 * component]]
    return rebuild(parts, bytes(scan))


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
JFIF_OF_7 = segment(0xE0, b"JFIF\0\7\1\0\0\1\0\1\0\0")
SHORT_JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0")
JFXX = segment(0xE0, b"JFXX\0\x13\1\1" + bytes([7, 8, 9]))


def adobe(transform):
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def icc(profile, number=1, count=1):
    return segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + profile)


def exif(order, orientation, kind=3, tag=0x0112, offset=8, entries=1, count=1):
    mark = b"II" if order == "<" else b"MM"
    value = struct.pack(order + "H", orientation) + b"\0\0" if kind == 3 else struct.pack(order + "I", orientation)
    entry = struct.pack(order + "HHI", tag, kind, count) + value
    return mark + struct.pack(order + "HI", 42, offset) + struct.pack(order + "H", entries) + entry + bytes(4)


def app_exif(*arguments, **options):
    return segment(0xE1, b"Exif\0\0" + exif(*arguments, **options))


def display_p3():
    """A profile whose primaries are far from those of sRGB: red and blue changed."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    tags = {}
    for entry in range(count):
        name, offset, size = struct.unpack(">4sII", profile[132 + 12 * entry:144 + 12 * entry])
        tags[name] = (offset, size)
    red, blue = (bytes(profile[o:o + s]) for o, s in (tags[b"rXYZ"], tags[b"bXYZ"]))
    profile[tags[b"rXYZ"][0]:tags[b"rXYZ"][0] + len(blue)] = blue
    profile[tags[b"bXYZ"][0]:tags[b"bXYZ"][0] + len(red)] = red
    return bytes(profile)


def grey_profile():
    profile = bytearray(display_p3())
    profile[16:20] = b"GRAY"
    return bytes(profile)


def jpeg_cases():
    photo = cjpeg("-sample", "2x2")
    full = cjpeg("-sample", "1x1")
    yield "jfif-444", full
    yield "jfif-422", cjpeg("-sample", "2x1")
    yield "jfif-420", photo
    yield "jfif-411", cjpeg("-sample", "4x1")
    yield "jfif-420-one-pixel", cjpeg("-sample", "2x2", image=picture(width=2, height=2).crop((0, 0, 1, 1)))
    yield "jfif-420-restart", cjpeg("-sample", "2x2", "-restart", "1B")
    yield "jfif-420-progressive", cjpeg("-sample", "2x2", "-progressive")
    yield "grey", pil_jpeg(picture(1))
    yield "grey-progressive", pil_jpeg(picture(1), progressive=True)
    yield "grey-adobe", with_app(pil_jpeg(picture(1)), adobe(0))
    yield "grey-id-7", with_ids(pil_jpeg(picture(1)), 7)

    yield "bare-444", with_app(full)
    yield "bare-420", with_app(photo)
    yield "ids-012-bare-444", with_ids(with_app(full), 0, 1, 2)
    yield "ids-012-jfif", with_ids(full, 0, 1, 2)
    yield "ids-567-bare-444", with_ids(with_app(full), 5, 6, 7)
    yield "ids-rgb-bare", with_ids(with_app(cjpeg("-rgb")), *b"RGB")
    yield "ids-rgb-jfif", with_ids(full, *b"RGB")
    yield "ids-rgb-adobe-1", with_ids(with_app(full, adobe(1)), *b"RGB")
    yield "ids-bgr-bare", with_ids(with_app(full), *b"BGR")
    yield "adobe-0", with_app(cjpeg("-rgb"), adobe(0))
    yield "adobe-1-444", with_app(full, adobe(1))
    yield "adobe-1-420", with_app(photo, adobe(1))
    yield "adobe-2", with_app(full, adobe(2))
    yield "adobe-7", with_app(full, adobe(7))
    yield "jfif-adobe-0", with_app(full, JFIF, adobe(0))
    yield "jfif-adobe-2", with_app(full, JFIF, adobe(2))
    yield "adobe-0-jfif", with_app(full, adobe(0), JFIF)
    yield "adobe-0-after-tables", with_app(cjpeg("-rgb"), adobe(0), first=False)
    yield "adobe-twice", with_app(full, adobe(0), adobe(1))
    yield "short-adobe-0", with_app(full, segment(0xEE, b"Adobe\0\x64\0\0\0\0"))
    yield "jfif-short-adobe-0", with_app(cjpeg("-rgb"), SHORT_JFIF, adobe(0))
    yield "jfif-of-version-7", with_app(full, JFIF_OF_7)
    yield "jfif-jfxx", with_app(full, JFIF, JFXX)
    yield "exif-bare-444", with_app(full, app_exif("<", 1))

    profile = display_p3()
    half = len(profile) // 2
    yield "icc-swapped-primaries", with_app(full, JFIF, icc(profile))
    yield "icc-in-two", with_app(full, JFIF, icc(profile[:half], 1, 2), icc(profile[half:], 2, 2))
    yield "icc-half-missing", with_app(full, JFIF, icc(profile[:half], 1, 2))
    yield "icc-twice", with_app(full, JFIF, icc(profile), icc(profile))
    yield "icc-number-0", with_app(full, JFIF, icc(profile, 0, 0))
    yield "icc-empty", with_app(full, JFIF, icc(b""))
    yield "icc-nonsense", with_app(full, JFIF, icc(b"no profile" * 20))
    yield "icc-of-grey", with_app(full, JFIF, icc(grey_profile()))
    yield "icc-of-colours-in-grey", with_app(pil_jpeg(picture(1)), JFIF, icc(profile))
    yield "icc-without-jfif", with_app(full, icc(profile))

    cmyk = pil_jpeg(picture(4))
    yield "cmyk-adobe-0", cmyk
    yield "cmyk-bare", with_app(cmyk)
    yield "cmyk-jfif", with_app(cmyk, JFIF)
    yield "ycck-adobe-2", with_app(cmyk, adobe(2))
    yield "ycck-adobe-1", with_app(cmyk, adobe(1))
    yield "ycck-adobe-2-420", with_app(pil_jpeg(picture(4), subsampling=2), adobe(2))
    yield "cmyk-progressive", pil_jpeg(picture(4), progressive=True)
    yield "cmyk-icc", with_app(cmyk, adobe(0), icc(profile))

    parts, scan = segments(photo)
    yield "fill-bytes", b"\xff\xd8" + b"".join(b"\xff\xff" + part for part in parts) + b"\xff" + scan
    parts, scan = segments(cjpeg("-sample", "2x2", "-progressive"))
    yield "fill-bytes-progressive", rebuild(parts, scan.replace(b"\xff\xda", b"\xff\xff\xda")
                                            .replace(b"\xff\xc4", b"\xff\xff\xff\xc4").replace(b"\xff\xd9", b"\xff\xff\xd9"))
    yield "comments", with_app(photo, JFIF, segment(0xFE, b"a comment"), segment(0xFE, b""))
    yield "after-the-end", photo + b"bytes of another kind"


def exif_cases():
    photo = cjpeg("-sample", "1x1")
    for orientation in range(1, 9):
        for order, name in (("<", "little"), (">", "big")):
            if orientation % 2 == (order == ">") or orientation == 6:
                yield f"exif-{orientation}-{name}", with_app(photo, JFIF, app_exif(order, orientation)), True
    yield "exif-6-grey", with_app(pil_jpeg(picture(1)), app_exif(">", 6)), True
    yield "exif-8-cmyk", with_app(pil_jpeg(picture(4)), adobe(0), app_exif("<", 8)), True
    yield "exif-6-long", with_app(photo, app_exif("<", 6, kind=4)), True
    yield "exif-6-after-tables", with_app(photo, app_exif("<", 6), first=False), True
    yield "exif-6-after-xmp", with_app(photo, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), app_exif("<", 6)), True
    yield "exif-0", with_app(photo, app_exif("<", 0)), False
    yield "exif-9", with_app(photo, app_exif("<", 9)), False
    yield "exif-other-tag", with_app(photo, app_exif("<", 6, tag=0x0113)), False
    yield "exif-far-offset", with_app(photo, app_exif("<", 6, offset=0x7FFFFFF0)), False
    yield "exif-negative-offset", with_app(photo, app_exif("<", 6, offset=0xFFFFFFF0)), False
    yield "exif-many-entries", with_app(photo, app_exif("<", 1, tag=1, entries=65535)), False
    yield "exif-text", with_app(photo, app_exif("<", 6, kind=2)), False
    yield "exif-no-byte-order", with_app(photo, segment(0xE1, b"Exif\0\0" + b"XX" + exif("<", 6)[2:])), False
    yield "exif-cut", with_app(photo, segment(0xE1, b"Exif\0\0" + exif("<", 6)[:16])), False
    yield "exif-empty", with_app(photo, segment(0xE1, b"Exif\0\0")), False


def add(archive, name, content, transpose):
    image = Image.open(io.BytesIO(content))
    if transpose:
        image = ImageOps.exif_transpose(image)
    expected = io.BytesIO()
    image.convert("RGB").save(expected, "PNG", optimize=True)
    for member, data in ((name, content), (name + ".png", expected.getvalue())):
        archive.writestr(zipfile.ZipInfo(member), data, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    with zipfile.ZipFile("jpeg-cases.zip", "w") as archive:
        for name, content in jpeg_cases():
            add(archive, name + ".jpg", content, False)
        for name, content, transpose in exif_cases():
            add(archive, name + ".jpg", content, transpose)
