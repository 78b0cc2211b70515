#!/usr/bin/python3
import json,sys,statistics as st
for m in json.load(open(sys.argv[1]))["measurements"]:
    s=m["samples"]; print(f'{m["part"]:9} {m["row"]:45} {m["who"]:22} {st.median(s):9.2f} {min(s):9.2f} {max(s):9.2f} {m["unit"]} n={len(s)}')
