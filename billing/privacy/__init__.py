"""The trade of keeping quiet: keys, sealed values, blind indexes, and logs that name nobody and betray no secret."""
