#!/usr/bin/env python3
"""Makes image-cases.zip: image files, and beside each X.EXT X.EXT.png, the pixels that PIL makes of it, turned upright.

Made with PIL 9.4.0, NumPy, libjpeg-turbo 2.1.5 and its cjpeg, tiffcp of libtiff 4.5.0 and ImageMagick 6.9.11; the tests
need none of them.
"""
import io
import os
import struct
import subprocess
import tempfile
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


def pil(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pil_jpeg(image, **options):
    return pil(image, "JPEG", quality=90, **options)


def cjpeg(*options, image=None):
    return subprocess.run(["cjpeg", "-quality", "90", *options], input=pil(image or picture(), "PPM"),
                          stdout=subprocess.PIPE, check=True).stdout


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
    for marker in (b"\xff\xda", b"\xff\xc4", b"\xff\xd9"):
        scan = scan.replace(marker, b"\xff\xff" + marker)
    yield "fill-bytes-progressive", rebuild(parts, scan)
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
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    yield "exif-6-after-xmp", with_app(photo, xmp, app_exif("<", 6)), True
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


def tool(kind, *command):
    """What a command makes of the picture in TIFF; IN and OUT stand for the files' names."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "in.tif"), os.path.join(folder, "out." + kind)
        picture().save(source)
        names = {"IN": source, "OUT": target}
        subprocess.run([names.get(word, word) for word in command], check=True)
        with open(target, "rb") as file:
            return file.read()


def on_screen(gif, width, height, left, top):
    """The GIF file with its frame at a place of a larger or smaller screen."""
    changed = bytearray(gif)
    changed[6:10] = struct.pack("<HH", width, height)
    frame = changed.index(b"\x2c", 13 + (3 << (gif[10] & 7) + 1))
    changed[frame + 1:frame + 5] = struct.pack("<HH", left, top)
    return bytes(changed)


def gif_cases():
    palette = picture().quantize(16)
    gif = pil(palette, "GIF")
    yield "palette", gif
    yield "palette-200", pil(picture().quantize(200), "GIF")
    yield "interlaced", pil(palette, "GIF", interlace=1)
    yield "two-colours", pil(picture(1).convert("1"), "GIF")
    yield "two-frames", pil(palette, "GIF", save_all=True, append_images=[picture().quantize(200)])
    yield "transparent", pil(palette, "GIF", transparency=3)
    yield "frame-in-screen", on_screen(gif, 30, 20, 4, 5)
    yield "frame-in-screen-transparent", on_screen(pil(palette, "GIF", transparency=5), 30, 20, 4, 5)
    yield "frame-beyond-screen", on_screen(gif, 20, 14, 5, 3)


def bmp_cases():
    grey = picture(1)
    with_opacity = picture()
    with_opacity.putalpha(grey)
    for name, image in (("rgb", picture()), ("grey", grey), ("palette", picture().quantize(200)),
                        ("two-colours", grey.convert("1")), ("opacity", with_opacity)):
        yield name, pil(image, "BMP")
    for name, *options in (("os2", "-define", "bmp:format=bmp2"), ("run-lengths", "-colors", "200", "-compress", "RLE"),
                           ("run-lengths-of-4-bits", "-colors", "12", "-compress", "RLE")):
        yield name, tool("bmp", "convert", "IN", *options, "OUT")
    rows = numpy.asarray(picture())[:, :, ::-1]
    levels = b"".join(row.tobytes() + bytes(-3 * WIDTH % 4) for row in rows)
    header = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + len(levels), 0, 0, 54, 40, WIDTH, -HEIGHT, 1, 24, 0,
                         len(levels), 0, 0, 0, 0)
    yield "from-the-top", header + levels


def tiff_cases():
    grey = picture(1)
    with_opacity = picture()
    with_opacity.putalpha(grey)
    bits = grey.convert("1")
    for name, image in (("rgb", picture()), ("grey", grey), ("palette", picture().quantize(200)), ("two-colours", bits),
                        ("opacity", with_opacity)):
        yield name, pil(image, "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"):
        yield compression, pil(picture(), "TIFF", compression=compression)
    for compression in ("group3", "group4"):
        yield compression, pil(bits, "TIFF", compression=compression)
    yield "big-endian-strips-predictor", tool("tif", "tiffcp", "-B", "-r", "3", "-c", "lzw:2", "IN", "OUT")
    yield "tiles", tool("tif", "tiffcp", "-t", "-w", "16", "-l", "16", "IN", "OUT")
    yield "planes", tool("tif", "tiffcp", "-p", "separate", "IN", "OUT")
    yield "two-images", tool("tif", "tiffcp", "IN", "IN", "OUT")
    yield "white-is-zero", tool("tif", "convert", "IN", "-colorspace", "gray", "-define",
                                "quantum:polarity=min-is-white", "OUT")
    yield "grey-of-4-bits", tool("tif", "convert", "IN", "-colorspace", "gray", "-depth", "4", "OUT")
    for orientation in ("TopRight", "BottomRight", "BottomLeft", "LeftTop", "RightTop", "RightBottom", "LeftBottom"):
        yield orientation, tool("tif", "convert", "IN", "-orient", orientation, "OUT")
    # Not what PIL makes of it, which clips such levels.
    yield "grey-of-16-bits", pil(Image.fromarray(numpy.asarray(grey).astype(numpy.uint16) * 257), "TIFF"), grey


def add(archive, name, content, expected):
    pixels = pil(expected.convert("RGB"), "PNG", optimize=True)
    for member, data in ((name, content), (name + ".png", pixels)):
        archive.writestr(zipfile.ZipInfo(member), data, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    with zipfile.ZipFile("image-cases.zip", "w") as archive:
        for name, content in jpeg_cases():
            add(archive, name + ".jpg", content, Image.open(io.BytesIO(content)))
        for name, content, turned in exif_cases():
            image = Image.open(io.BytesIO(content))
            add(archive, name + ".jpg", content, ImageOps.exif_transpose(image) if turned else image)
        for ending, cases in ((".gif", gif_cases), (".bmp", bmp_cases), (".tif", tiff_cases)):
            for name, content, *expected in cases(): # PIL turns TIFF files upright as it reads them
                add(archive, name + ending, content, expected[0] if expected else Image.open(io.BytesIO(content)))
