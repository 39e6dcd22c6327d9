package dev.layerwise.data.stream;

import dev.layerwise.data.DataException;
import dev.layerwise.files.FileErrors;
import dev.layerwise.files.FileNames;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The image files in folders, and how much else is there. Links are followed, unless they lead back into a folder that
 * they are in. What begins with a dot, and what systems leave in folders, is left out; so are files that by their names
 * are no images, or of a kind that is not read.
 */
public final class FolderListing {
  /** What is read, in words. */
  public static final String KINDS = "JPEG, PNG, GIF, BMP or TIFF files";

  /** Of archives, network storage and file systems; in small letters. */
  private static final Set<String> SYSTEM_NAMES =
      Set.of(
          "__macosx", "@eadir", "#recycle", "lost+found", "$recycle.bin", "system volume information", "thumbs.db",
          "desktop.ini");

  private final LeftOut leftOut = new LeftOut();

  /**
   * The images in a folder and all folders below, in the order of their paths.
   *
   * @return paths that begin with the folder's; none if there are none
   * @throws DataException if the folder cannot be read; folders below are left out then
   */
  public List<Path> images(Path folder) {
    List<Path> found = new ArrayList<>();
    try {
      Set<Object> around = new HashSet<>();
      addAround(folder.toAbsolutePath(), around);
      addAround(folder.toRealPath(), around);
      for (Path entry : entries(folder)) {
        add(entry, around, found);
      }
    } catch (IOException e) {
      throw cannotList(folder, e);
    }
    found.sort(Comparator.comparing(FileNames::text));
    return found;
  }

  /** The folder and those that it is in, by what is the same whatever the path. */
  private static void addAround(Path folder, Set<Object> around) throws IOException {
    for (Path path = folder; path != null; path = path.getParent()) {
      around.add(Files.readAttributes(path, BasicFileAttributes.class).fileKey());
    }
  }

  private void add(Path entry, Set<Object> around, List<Path> found) {
    if (isOfSystem(entry)) {
      leftOut.add(LeftOut.Reason.SYSTEM, entry.getFileName());
      return;
    }
    BasicFileAttributes attributes;
    try {
      attributes = attributes(entry);
    } catch (IOException e) {
      leftOut.add(LeftOut.Reason.UNREADABLE, entry);
      return;
    }
    boolean isRead = ImageFormat.isRead(entry.getFileName().toString());
    if (attributes != null && attributes.isDirectory()) {
      addFolder(entry, attributes.fileKey(), around, found);
    } else if (attributes != null && attributes.isOther()) {
      leftOut.add(LeftOut.Reason.SPECIAL, entry);
    } else if (isRead) {
      found.add(entry); // whoever reads it says what is wrong with a link that leads nowhere
    } else if (attributes == null) {
      leftOut.add(LeftOut.Reason.NOWHERE, entry);
    } else {
      leftOut.addFile(entry);
    }
  }

  private void addFolder(Path folder, Object key, Set<Object> around, List<Path> found) {
    if (!around.add(key)) {
      leftOut.add(LeftOut.Reason.LOOP, folder);
      return;
    }
    try {
      for (Path entry : entries(folder)) {
        add(entry, around, found);
      }
    } catch (IOException e) {
      leftOut.add(LeftOut.Reason.UNREADABLE, folder);
    }
    around.remove(key);
  }

  /**
   * The folders in a folder, one for each class, in the order of their names; files beside them are left out.
   *
   * @throws DataException if the folder cannot be read
   */
  List<Path> classFolders(Path folder) {
    List<Path> folders = new ArrayList<>();
    try {
      Set<Object> around = new HashSet<>();
      addAround(folder.toRealPath(), around);
      for (Path entry : entries(folder)) {
        if (isOfSystem(entry)) {
          leftOut.add(LeftOut.Reason.SYSTEM, entry.getFileName());
        } else {
          addClass(entry, around, folders);
        }
      }
    } catch (IOException e) {
      throw cannotList(folder, e);
    }
    folders.sort(Comparator.comparing(path -> FileNames.text(path.getFileName())));
    return folders;
  }

  private void addClass(Path entry, Set<Object> around, List<Path> folders) {
    BasicFileAttributes attributes;
    try {
      attributes = attributes(entry);
    } catch (IOException e) {
      throw cannotList(entry, e);
    }
    if (attributes == null) {
      leftOut.add(LeftOut.Reason.NOWHERE, entry);
    } else if (!attributes.isDirectory() && ImageFormat.isRead(entry.getFileName().toString())) {
      leftOut.add(LeftOut.Reason.BESIDE_CLASSES, entry);
    } else if (!attributes.isDirectory()) {
      leftOut.addFile(entry);
    } else if (around.contains(attributes.fileKey())) {
      leftOut.add(LeftOut.Reason.LOOP, entry);
    } else {
      folders.add(entry);
    }
  }

  /**
   * How much was left out so far and why.
   *
   * @param before what that is put after
   * @return empty if nothing was left out
   */
  public String leftOut(String before) {
    return leftOut.isEmpty() ? "" : before + leftOut.clause();
  }

  /** Whether folders were left out because they cannot be read. */
  public boolean hasUnreadable() {
    return leftOut.has(LeftOut.Reason.UNREADABLE);
  }

  private static boolean isOfSystem(Path entry) {
    String name = entry.getFileName().toString();
    return name.startsWith(".") || SYSTEM_NAMES.contains(name.toLowerCase(Locale.ROOT));
  }

  /** Of what a link leads to; null if it leads nowhere. */
  private static BasicFileAttributes attributes(Path path) throws IOException {
    try {
      return Files.readAttributes(path, BasicFileAttributes.class);
    } catch (IOException e) {
      if (Files.isSymbolicLink(path) && !(e instanceof AccessDeniedException)) {
        return null;
      }
      throw e;
    }
  }

  private static List<Path> entries(Path folder) throws IOException {
    List<Path> entries = new ArrayList<>();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
      stream.forEach(entries::add);
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
    entries.sort(null);
    return entries;
  }

  private static DataException cannotList(Path folder, IOException error) {
    return new DataException("Cannot list " + FileNames.text(folder) + ": " + FileErrors.reason(error) + ".", error);
  }
}
