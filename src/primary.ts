#!/usr/bin/env node
/** The front door: runs the command line and maps its outcome to an exit code. */
