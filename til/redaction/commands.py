"""Secrets on the line of a command: flags, users with passwords, and what a command takes by its place."""

from __future__ import annotations

from til.redaction.forms import EITHER, END, LITERAL, NAME, REST, START, Form, Forms
from til.redaction.judge import by_place, gives_away, no_word, strange

OPEN = r"""(?:(?m:^)[+-]?|[\s"'`=,;&|(\[])"""
GAP = r"""[ \t"',=]*"""
ANY = r"(?:[^\n|;]|\\\r?\n)*?"
BETWEEN = r"""[ \t"',]"""
WORD = r"""([^\s"'`|;,@$<>(){}\\][^\s"'`|;,<>(){}\\]{5,})"""
"""A value by its place: a word of the shell."""
USER = r"""[\w.@%+-]+"""

FLAGS = Forms(
    [
        Form(
            rf"{OPEN}(?:--?|/)[\w.:-]*{NAME}(?:[ \t]*[ \t=:][ \t]*|[ \t]+\\{END}|[\"']?{END}-[ \t]+)"
            rf"(?:{LITERAL}|({START}-]{REST}))",
            no_word,
        ),
        Form(rf"""{OPEN}--?[\w.-]*{NAME}["'],[ \t]*{LITERAL}""", strange),
        Form(
            rf"{OPEN}(?:ENV|ARG|[Ss]et[Ee]nv|setx|fastcgi_param|uwsgi_param|proxy_set_header|set[ \t]+-\w+"
            r"|configure[ \t]+set|config(?::|[ \t]+)set|(?:user-)?secrets?[ \t]+set)"
            rf"(?:[ \t]+--?\w+)*[ \t]+\"?[\w.:-]*{NAME}\"?[ \t]+{EITHER}",
            no_word,
        ),
    ]
)
COMMANDS = Forms(
    [
        Form(
            rf"{OPEN}--?[uU](?:ser(?:name)?)?{GAP}\S+{BETWEEN}(?:{ANY}{BETWEEN})?-[pP]{GAP}{WORD}", by_place
        ),
        Form(
            rf"{NAME}[\"']?[ \t]+(?:--[\w-]+[ \t=]+\S+[ \t]+)*(?:--(?:value|body)|-b)[ \t=]*"
            rf"(?:{LITERAL}|{WORD})",
            no_word,
        ),
        Form(rf"\bmysqladmin\b{ANY}[ \t]password[ \t]+[\"']?{WORD}", no_word),
        Form(rf"\bssh-keygen\b{ANY}-N{GAP}{WORD}", no_word),
        Form(rf"\bnet[ \t]+user[ \t]+[\w.-]+[ \t]+{WORD}", no_word),
        Form(rf"\bschtasks\b{ANY}/rp[ \t]+{WORD}", no_word),
        Form(rf"\b(?:add-)?authtoken[ \t]+{WORD}", name="token"),
        Form(rf"--secret-string[ \t=]+(?:{LITERAL}|{WORD})", no_word, name="secret"),
        Form(rf"\bvault[ \t]+login[ \t]+{WORD}", name="token"),
        Form(rf"\b(?:mysql\w*|mariadb[\w-]*|7za?|7zz)\b{ANY}{BETWEEN}-p[\"']?{WORD}", no_word),
        Form(
            rf"\b(?:sshpass|(?:docker|podman|nerdctl|buildah|skopeo|registry|oc|cf|az)[ \t]+login|mongo\w*"
            rf"|cqlsh|twine[ \t]+upload|elasticsearch-users|snowsql)\b{ANY}{BETWEEN}-p{GAP}{WORD}",
            gives_away,
        ),
        Form(rf"\b(?:sqlcmd|bcp|ipmitool|isql|tsql|zip|unzip){BETWEEN}{ANY}-P{GAP}{WORD}", no_word),
        Form(rf"\bredis-cli\b{ANY}{BETWEEN}-a{GAP}{WORD}", no_word),
        Form(rf"\bldap\w+\b{ANY}{BETWEEN}-w{GAP}{WORD}", no_word),
        Form(rf"\bopenssl{BETWEEN}+enc\b{ANY}{BETWEEN}-k{GAP}{WORD}", no_word),
        Form(rf"-pass(?:in|out)?{GAP}pass:{WORD}"),
        Form(
            rf"\b(?:curl\b{ANY}{BETWEEN}(?:-[a-zA-Z]*[uU]|--(?:proxy-)?user)|https?\b{ANY}[ \t]-a)"
            rf"{GAP}{USER}:{WORD}",
            no_word,
        ),
        Form(rf"{OPEN}--(?:proxy-)?user{GAP}[a-zA-Z]{USER}:{WORD}", no_word),
        Form(rf"USERPWD[ \t]*,[ \t]*[\"']{USER}:{WORD}", no_word),
        Form(rf"\bsmb\w+\b{ANY}{BETWEEN}-U{GAP}{USER}%{WORD}"),
        Form(rf"\blftp\b{ANY}{BETWEEN}-u{GAP}{USER},{WORD}"),
        Form(r"\bsqlplus[ \t]+(?:-\w+[ \t]+)*[\"']?\w+/([^\s\"'@$]{6,})@", no_word),
        Form(rf"[ \t]/(?:u|user):\S+[ \t]+/p:{WORD}", no_word),
        Form(rf"\bnet[ \t]+use[ \t]{ANY}/user:\S+[ \t]+{WORD}", no_word),
        Form(
            rf"\b(?:ht|mosquitto_)passwd(?:[ \t]+-\w+)*[ \t]+-\w*b\w*(?:[ \t]+-\w+)*(?:[ \t]+\S+)?"
            rf"[ \t]+\S+[ \t]+[\"']?{WORD}",
            by_place,
        ),
        Form(rf"\b(?:kinit|passwd|su|sudo|cryptsetup)\b{ANY}<<<[ \t]*[\"']?{WORD}", no_word),
        Form(
            r"\b(?:rabbitmqctl[ \t]+(?:add_user|change_password)|http-basic\.\S+)[ \t]+\S+[ \t]+"
            rf"[\"']?{WORD}",
            no_word,
        ),
        Form(rf"\bnmcli\b{ANY}[ \t](?:password|wifi-sec\.psk)[ \t]+[\"']?{WORD}", no_word),
        Form(rf"\becho[ \t]+(?:-\w+[ \t]+)?[\"']?{USER}:{WORD}[\"']?[ \t]*\|[ \t]*(?:sudo[ \t]+)?chpasswd"),
        Form(
            rf"\becho[ \t]+(?:-\w+[ \t]+)?[\"']?{WORD}[\"']?(?:[ \t]*;[ \t]*echo[ \t]+[^\s;|)]+)?"
            r"[ \t]*\)?[ \t]*\|[ \t]*"
            r"(?:sudo[ \t]+-S|(?:sudo[ \t]+)?(?:passwd|kinit|cryptsetup)\b|[^\n|]*?(?:-stdin|passphrase-fd))",
            no_word,
        ),
    ]
)
