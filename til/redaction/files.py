"""Secrets in SQL, .netrc and servers' configuration files, and in calls that take a user and a password."""

from __future__ import annotations

from til.redaction.forms import BARE, EITHER, END, LITERAL, NAME, QUOTED, REST, START, Form, Forms
from til.redaction.judge import in_prose, likely, not_letters, not_words

GAP = rf"(?:[ \t]+|{END})"
LINE = r"(?m:^)[+-]?[ \t]*"
TEXT = r"""(?:"[^"\n]*"|'[^'\n]*'|[^,()"'\n]*)"""
"""An argument before the secret, such as the user."""
BEGIN = rf"\((?:[ \t]*|{END})"
NEXT = rf"[ \t]*,(?:[ \t]*|{END})"

IDENTIFIED = r"\bIDENTIFIED(?:[ \t]+WITH[ \t]+[\"'`]?\w+[\"'`]?)?[ \t]+BY(?:[ \t]+PASSWORD)?[ \t]+"

DIRECTIVES = Forms(
    [
        Form(
            rf"{LINE}(?:set[ \t]+)?[\w.-]*{NAME}[ \t]+(?:ENC[ \t]+)?({START}]{REST});?[ \t]*(?m:$)",
            not_words,
        ),
        Form(
            rf"{NAME}[\"'`*]*(?:[ \t]+for[ \t]+\S+)?[ \t]+(?:is|was)[ \t]+(?:{LITERAL}|({START}]{REST}))",
            in_prose,
        ),
        Form(rf"{NAME}[\"'`*]*[ \t]*\|[ \t]*`?({START}]{REST})`?[ \t]*\|", in_prose),
        Form(
            rf"(?i:\b(?:login|user(?:name)?|credentials?))[`*]*:[`*]*[ \t]+`?[\w.@-]+`?[ \t]*/[ \t]*`?{BARE}",
            in_prose,
        ),
        Form(
            rf"{LINE}[\"']?(?:auth|credentials?|userpass|basic_?auth|user|proxy-user)[\"']?[ \t]*[:=][ \t]*"
            rf"[\"']?[a-zA-Z][\w.@-]*:{BARE}",
            not_words,
        ),
        Form(rf"\{{(?:PLAIN|CLEARTEXT)\}}{BARE}", not_letters),
        Form(rf"{LINE}\[[\w.-]+\](?::\d+)?[ \t]+[\w.@-]+:{BARE}", not_letters),
        Form(
            rf"{LINE}(?:requirepass|masterauth|bindpw|rootpw(?:[ \t]+--plaintext)?|wpa-psk|wpa-passphrase"
            r"|pre-shared-key|key-string|sentinel[ \t]+auth-pass[ \t]+\S+|snmp-server[ \t]+community"
            r"|(?:enable|line)[ \t]+(?:password|secret)(?:[ \t]+\d)?"
            r"|(?:tacacs|radius)-server[ \t]+key(?:[ \t]+\d)?"
            rf"|crypto[ \t]+isakmp[ \t]+key(?:[ \t]+\d)?)[ \t]+{EITHER}",
            not_letters,
        ),
        Form(
            rf"{LINE}(?:user(?:name)?|neighbor)[ \t]+\S+[ \t]+(?:privilege[ \t]+\d+[ \t]+)?(?:insecure-)?"
            rf"(?:password|secret)(?:[ \t]+\d)?[ \t]+{EITHER}",
            not_words,
        ),
        Form(rf"{LINE}stats[ \t]+auth[ \t]+[\w.-]+:{BARE}", not_letters),
        Form(rf"{LINE}user[ \t]+\S+[ \t]+on[ \t][^\n]*?>{BARE}", not_letters),
        Form(rf"""\b(?:PSK|XAUTH|EAP)[ \t]+{LITERAL}""", not_letters),
        Form(
            rf"""{LINE}[\w."-]+[ \t]+[\w*."-]+[ \t]+"([^"\s]{{6,}})"[ \t]+[*\d."]+(?m:$)""",
            not_letters,
        ),
        Form(
            rf"(?:machine{GAP}\S+|default){GAP}login{GAP}\S+(?:{GAP}account{GAP}\S+)?{GAP}password{GAP}(\S{{6,}})",
            not_letters,
        ),
        Form(rf"{LINE}login[ \t]+\S+{END}password[ \t]+(\S{{6,}})", not_letters),
        Form(
            rf"{LINE}[\w.*-]+:(?:[56]4\d\d|\*):[\w*-]+:[\w*.@-]+:([^\s:]{{6,}})(?:\s|$)",
            not_letters,
        ),
        Form(
            rf"chpasswd:(?:{END}[^\n]*)?{END}list:[ \t]*\|?{END}(?:-[ \t])?[\w-]+:(\S{{6,}})",
            not_letters,
        ),
        Form(rf"\bpasswd/[\w-]+-password(?:-again)?[ \t]+password[ \t]+{BARE}", not_letters),
    ]
)
QUERIES = Forms(
    [
        Form(rf"{IDENTIFIED}{EITHER}", likely),
        Form(rf"(?i:{IDENTIFIED}){EITHER}", not_letters),
        Form(rf"(?i:\b(?:ROLE|USER|LOGIN)\b[^\n;]*?\bPASSWORD[ \t]*=?[ \t]*)N?{LITERAL}", likely),
        Form(r"""[\w.-]+:([^\s:@/"'`$%{}<>]{6,})@(?:tcp|unix|cloudsql)\(""", likely),
        Form(r"""\boracle:(?:thin|oci8?):[\w.]+/([^\s@"'$]{6,})@""", likely),
    ]
)
USERS = Forms(
    [
        Form(
            r"(?:(?:Password|Basic|Plain|Digest)(?:Authentication|Credentials?)|(?:Basic|Digest)Auth|NetworkCredential"
            r"|[bB]asic_?[aA]uth|AuthTokens\.basic|auth\.basic)"
            rf"[( ][ \t]*{TEXT}{NEXT}{QUOTED}",
            likely,
        ),
        Form(rf"\bauth[ \t]*[=:][ \t]*[(\[][ \t]*{TEXT}{NEXT}{QUOTED}", likely),
        Form(rf"\w*AWSCredentials(?:\.create)?{BEGIN}{TEXT}{NEXT}{QUOTED}", likely, name="secret"),
        Form(
            rf"(?:\.(?:log_?[iI]n|Login|[aA]uthenticate|begin){BEGIN}|\bsp_addlogin[ \t]+)"
            rf"{TEXT}{NEXT}{QUOTED}",
            not_letters,
        ),
        Form(
            rf"(?:PlainAuth|mysqli?_connect|new[ \t]+mysqli|new[ \t]+PDO|DriverManager\.getConnection)"
            rf"{BEGIN}{TEXT}{NEXT}{TEXT}{NEXT}{QUOTED}",
            likely,
        ),
        Form(
            rf"\b(?:\w*[cC]onnect|Sequelize|createPool|\.start){BEGIN}(?:{TEXT}{NEXT}){{2,3}}{QUOTED}",
            not_words,
        ),
        Form(rf"\bsignWith{BEGIN}{TEXT}{NEXT}{QUOTED}", name="secret"),
        Form(rf"(?i:ConvertTo-SecureString)[ \t]+(?:-\w+[ \t]+)*{LITERAL}", likely),
        Form(
            rf"(?i:\bjwt)\.(?:sign|verify|encode|decode)\([ \t]*(?:\{{[^}}\n]*\}}|{TEXT}){NEXT}{QUOTED}",
            name="secret",
        ),
        Form(rf"(?:create(?:Hmac|Cipheriv|Decipheriv)){BEGIN}{TEXT}{NEXT}{QUOTED}", name="secret"),
        Form(rf"\bhash_hmac{BEGIN}{TEXT}{NEXT}{TEXT}{NEXT}{QUOTED}", name="secret"),
        Form(rf"\bhmac\.New{BEGIN}{TEXT}{NEXT}\[\]byte\({QUOTED}", name="secret"),
        Form(
            rf"(?:\bhmac\.new|SecretKeySpec|\bFernet|hmacShaKeyFor|SymmetricSecurityKey|cookieParser|NewCookieStore"
            rf"|\bAES\.new|\.HMAC\d+)\([ \t]*(?:[\w.\[\]]+\()?{QUOTED}",
            name="secret",
        ),
    ]
)
