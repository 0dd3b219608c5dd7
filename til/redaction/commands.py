"""Secrets in command lines: values of flags, `user:password` pairs, and arguments known by their position."""

from __future__ import annotations

from til.redaction.forms import EITHER, END, LITERAL, NAME, REST, START, Form, Forms
from til.redaction.judge import as_argument, likely, not_letters, not_words

OPEN = r"""(?:(?m:^)[+-]?|[\s"'`=,;&|(\[])"""
GAP = r"""[ \t"',=]*"""
ANY = r"(?:[^\n|;]|\\\r?\n)*?"
BETWEEN = r"""[ \t"',]"""
WORD = r"""([^\s"'`|;,@$<>(){}\\][^\s"'`|;,<>(){}\\]{5,})"""
"""A value that is an argument of its own: one word of the shell."""
USER = r"""[\w.@%+-]+"""

FLAGS = Forms(
    [
        Form(
            rf"{OPEN}(?:--?|/)[\w.:-]*{NAME}(?:[ \t]*[ \t=:][ \t]*|[ \t]+\\{END}|[\"']?{END}-[ \t]+)"
            rf"(?:{LITERAL}|({START}-]{REST}))",
            not_letters,
        ),
        Form(rf"""{OPEN}--?[\w.-]*{NAME}["'],[ \t]*{LITERAL}""", not_words),
        Form(
            rf"{OPEN}(?:ENV|ARG|[Ss]et[Ee]nv|setx|fastcgi_param|uwsgi_param|proxy_set_header|set[ \t]+-\w+"
            r"|configure[ \t]+set|config(?::|[ \t]+)set|(?:user-)?secrets?[ \t]+set)"
            rf"(?:[ \t]+--?\w+)*[ \t]+\"?[\w.:-]*{NAME}\"?[ \t]+{EITHER}",
            not_letters,
        ),
    ]
)
COMMANDS = Forms(
    [
        Form(
            rf"{OPEN}--?[uU](?:ser(?:name)?)?{GAP}\S+{BETWEEN}(?:{ANY}{BETWEEN})?-[pP]{GAP}{WORD}",
            as_argument,
        ),
        Form(
            rf"{NAME}[\"']?[ \t]+(?:--[\w-]+[ \t=]+\S+[ \t]+)*(?:--(?:value|body)|-b)[ \t=]*"
            rf"(?:{LITERAL}|{WORD})",
            not_letters,
        ),
        Form(rf"\bmysqladmin\b{ANY}[ \t]password[ \t]+[\"']?{WORD}", not_letters),
        Form(rf"\bssh-keygen\b{ANY}-N{GAP}{WORD}", not_letters),
        Form(rf"\bnet[ \t]+user[ \t]+[\w.-]+[ \t]+{WORD}", not_letters),
        Form(rf"\bschtasks\b{ANY}/rp[ \t]+{WORD}", not_letters),
        Form(rf"\b(?:add-)?authtoken[ \t]+{WORD}", name="token"),
        Form(rf"--secret-string[ \t=]+(?:{LITERAL}|{WORD})", not_letters, name="secret"),
        Form(rf"\bvault[ \t]+login[ \t]+{WORD}", name="token"),
        Form(rf"\b(?:mysql\w*|mariadb[\w-]*|7za?|7zz)\b{ANY}{BETWEEN}-p[\"']?{WORD}", not_letters),
        Form(
            rf"\b(?:sshpass|(?:docker|podman|nerdctl|buildah|skopeo|registry|oc|cf|az)[ \t]+login|mongo\w*"
            rf"|cqlsh|twine[ \t]+upload|elasticsearch-users|snowsql)\b{ANY}{BETWEEN}-p{GAP}{WORD}",
            likely,
        ),
        Form(
            rf"\b(?:sqlcmd|bcp|ipmitool|isql|tsql|zip|unzip){BETWEEN}{ANY}-P{GAP}{WORD}",
            not_letters,
        ),
        Form(rf"\bredis-cli\b{ANY}{BETWEEN}-a{GAP}{WORD}", not_letters),
        Form(rf"\bldap\w+\b{ANY}{BETWEEN}-w{GAP}{WORD}", not_letters),
        Form(rf"\bopenssl{BETWEEN}+enc\b{ANY}{BETWEEN}-k{GAP}{WORD}", not_letters),
        Form(rf"-pass(?:in|out)?{GAP}pass:{WORD}"),
        Form(
            rf"\b(?:curl\b{ANY}{BETWEEN}(?:-[a-zA-Z]*[uU]|--(?:proxy-)?user)|https?\b{ANY}[ \t]-a)"
            rf"{GAP}{USER}:{WORD}",
            not_letters,
        ),
        Form(rf"{OPEN}--(?:proxy-)?user{GAP}[a-zA-Z]{USER}:{WORD}", not_letters),
        Form(rf"USERPWD[ \t]*,[ \t]*[\"']{USER}:{WORD}", not_letters),
        Form(rf"\bsmb\w+\b{ANY}{BETWEEN}-U{GAP}{USER}%{WORD}"),
        Form(rf"\blftp\b{ANY}{BETWEEN}-u{GAP}{USER},{WORD}"),
        Form(r"\bsqlplus[ \t]+(?:-\w+[ \t]+)*[\"']?\w+/([^\s\"'@$]{6,})@", not_letters),
        Form(rf"[ \t]/(?:u|user):\S+[ \t]+/p:{WORD}", not_letters),
        Form(rf"\bnet[ \t]+use[ \t]{ANY}/user:\S+[ \t]+{WORD}", not_letters),
        Form(
            rf"\b(?:ht|mosquitto_)passwd(?:[ \t]+-\w+)*[ \t]+-\w*b\w*(?:[ \t]+-\w+)*(?:[ \t]+\S+)?"
            rf"[ \t]+\S+[ \t]+[\"']?{WORD}",
            as_argument,
        ),
        Form(rf"\b(?:kinit|passwd|su|sudo|cryptsetup)\b{ANY}<<<[ \t]*[\"']?{WORD}", not_letters),
        Form(
            r"\b(?:rabbitmqctl[ \t]+(?:add_user|change_password)|http-basic\.\S+)[ \t]+\S+[ \t]+"
            rf"[\"']?{WORD}",
            not_letters,
        ),
        Form(rf"\bnmcli\b{ANY}[ \t](?:password|wifi-sec\.psk)[ \t]+[\"']?{WORD}", not_letters),
        Form(rf"\becho[ \t]+(?:-\w+[ \t]+)?[\"']?{USER}:{WORD}[\"']?[ \t]*\|[ \t]*(?:sudo[ \t]+)?chpasswd"),
        Form(
            rf"\becho[ \t]+(?:-\w+[ \t]+)?[\"']?{WORD}[\"']?(?:[ \t]*;[ \t]*echo[ \t]+[^\s;|)]+)?"
            r"[ \t]*\)?[ \t]*\|[ \t]*"
            r"(?:sudo[ \t]+-S|(?:sudo[ \t]+)?(?:passwd|kinit|cryptsetup)\b|[^\n|]*?(?:-stdin|passphrase-fd))",
            not_letters,
        ),
    ]
)
