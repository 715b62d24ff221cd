"""Errors that a user can mend."""


class InputError(Exception):
    """Bad input: the message names the file or option and the mend, in one line.

    The command line prints the message alone and exits with status 2; anything else that is
    raised is a defect of ours and keeps its traceback.
    """
