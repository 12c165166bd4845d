"""Documents: what an issued invoice or note says, put into words once, and set as a page and as a PDF. Pure.

Facts come from the frozen document alone. The PDF's library stays in this room.
"""
