"""Where results go: the window, films, folders of pictures and crops, the log, the report."""
