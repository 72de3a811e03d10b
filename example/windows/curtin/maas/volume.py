"""The files of Windows, as Linux sees them: there, names tell upper from lower case."""

import errno
import os
import pathlib


class Failed(Exception):
    """What keeps the machine from being deployed."""


class Volume(object):
    """The volume that Windows is on. Nothing outside of it is touched, whatever links say."""

    def __init__(self, root):
        self.root = pathlib.Path(os.path.realpath(str(root)))
        if not self.root.is_dir():
            raise Failed("%s is no folder: curtin should have mounted Windows there" % root)

    def find(self, path):
        """The file or folder that Windows would find by a path; None for none."""
        at = self.root
        for part in self._parts(path):
            at = self._entry(at, part)
            if at is None:
                return None
        return at

    def folder(self, path):
        """The same of a folder, which is made if it is not there."""
        at = self.root
        for part in self._parts(path):
            found = self._entry(at, part)
            if found is None:
                found = at / part
                self._change(found.mkdir)
            at = found
        return at

    def read(self, path):
        """The text of a file."""
        try:
            return path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as err:
            raise Failed("%s is not in UTF-8: %s" % (self.shown(path), err))
        except OSError as err:
            raise Failed("Windows' volume cannot be read: %s" % err)

    def write(self, folder, name, text, mark=False):
        """Puts a text file into a folder, whole or not at all, with Windows' line endings.
        The mark tells PowerShell that it is UTF-8."""
        path = self._entry(folder, name) or folder / name
        new = folder / (name + ".new")
        content = "\r\n".join(text.splitlines() + [""]).encode("utf-8-sig" if mark else "utf-8")

        def put():
            with new.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(str(new), str(path))

        try:
            self._change(put)
        finally:
            if new.exists():
                new.unlink()
        return path

    def remove(self, path):
        if path is not None:
            self._change(path.unlink)

    def shown(self, path):
        """A path in Windows' words. The image's Windows is on C: when it runs."""
        return "C:\\" + "\\".join(path.relative_to(self.root).parts)

    @staticmethod
    def _parts(path):
        return [part for part in path.replace("\\", "/").split("/") if part]

    def _entry(self, folder, name):
        """A name in a folder. The exact one comes first, for Linux may have made several."""
        try:
            names = os.listdir(str(folder))
        except NotADirectoryError:
            return None
        except OSError as err:
            raise Failed("Windows' volume cannot be read: %s" % err)
        for one in sorted(names, key=lambda one: (one != name, one)):
            if one.lower() == name.lower():
                found = folder / one
                inside = self.root in pathlib.Path(os.path.realpath(str(found))).parents
                return found if inside else None
        return None

    @staticmethod
    def _change(change):
        try:
            return change()
        except OSError as err:
            why = ""
            if err.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
                why = "; Linux mounts it read-only if Windows sleeps or was not shut down, or if there is no driver that writes NTFS"
            raise Failed("Windows' volume cannot be written: %s%s" % (err, why))
