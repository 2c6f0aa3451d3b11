"""Error rates on one's own data: `lookgate evaluate` and `lookgate calibrate`.

Here: walking folders, trials, intervals, plots, reports. Not here: any measurement of a picture or
any decision; both are the server's own (pipeline). Source: ISO/IEC 19795-1, ISO/IEC 30107-3.
"""
