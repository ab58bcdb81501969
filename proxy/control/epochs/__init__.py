"""DOCUMENTS -> WHAT IS IN FORCE: files and edits as one, each difference an epoch that is told of and kept."""
