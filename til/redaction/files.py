"""Secrets in grammars of their own: SQL, .netrc, servers' directives; calls that take a user with one."""

from __future__ import annotations

from til.redaction.forms import BARE, EITHER, END, LITERAL, NAME, QUOTED, REST, START, Form, Forms
from til.redaction.judge import gives_away, no_word, spoken, strange

GAP = rf"(?:[ \t]+|{END})"
LINE = r"(?m:^)[+-]?[ \t]*"
TEXT = r"""(?:"[^"\n]*"|'[^'\n]*'|[^,()"'\n]*)"""
"""An argument that is no secret."""
BEGIN = rf"\((?:[ \t]*|{END})"
NEXT = rf"[ \t]*,(?:[ \t]*|{END})"

IDENTIFIED = r"\bIDENTIFIED(?:[ \t]+WITH[ \t]+[\"'`]?\w+[\"'`]?)?[ \t]+BY(?:[ \t]+PASSWORD)?[ \t]+"

DIRECTIVES = Forms(
    [
        Form(
            rf"{LINE}(?:set[ \t]+)?[\w.-]*{NAME}[ \t]+(?:ENC[ \t]+)?({START}]{REST});?[ \t]*(?m:$)", strange
        ),
        Form(
            rf"{NAME}[\"'`*]*(?:[ \t]+for[ \t]+\S+)?[ \t]+(?:is|was)[ \t]+(?:{LITERAL}|({START}]{REST}))",
            spoken,
        ),
        Form(rf"{NAME}[\"'`*]*[ \t]*\|[ \t]*`?({START}]{REST})`?[ \t]*\|", spoken),
        Form(
            rf"(?i:\b(?:login|user(?:name)?|credentials?))[`*]*:[`*]*[ \t]+`?[\w.@-]+`?[ \t]*/[ \t]*`?{BARE}",
            spoken,
        ),
        Form(
            rf"{LINE}[\"']?(?:auth|credentials?|userpass|basic_?auth|user|proxy-user)[\"']?[ \t]*[:=][ \t]*"
            rf"[\"']?[a-zA-Z][\w.@-]*:{BARE}",
            strange,
        ),
        Form(rf"\{{(?:PLAIN|CLEARTEXT)\}}{BARE}", no_word),
        Form(rf"{LINE}\[[\w.-]+\](?::\d+)?[ \t]+[\w.@-]+:{BARE}", no_word),
        Form(
            rf"{LINE}(?:requirepass|masterauth|bindpw|rootpw(?:[ \t]+--plaintext)?|wpa-psk|wpa-passphrase"
            r"|pre-shared-key|key-string|sentinel[ \t]+auth-pass[ \t]+\S+|snmp-server[ \t]+community"
            r"|(?:enable|line)[ \t]+(?:password|secret)(?:[ \t]+\d)?"
            r"|(?:tacacs|radius)-server[ \t]+key(?:[ \t]+\d)?"
            rf"|crypto[ \t]+isakmp[ \t]+key(?:[ \t]+\d)?)[ \t]+{EITHER}",
            no_word,
        ),
        Form(
            rf"{LINE}(?:user(?:name)?|neighbor)[ \t]+\S+[ \t]+(?:privilege[ \t]+\d+[ \t]+)?(?:insecure-)?"
            rf"(?:password|secret)(?:[ \t]+\d)?[ \t]+{EITHER}",
            strange,
        ),
        Form(rf"{LINE}stats[ \t]+auth[ \t]+[\w.-]+:{BARE}", no_word),
        Form(rf"{LINE}user[ \t]+\S+[ \t]+on[ \t][^\n]*?>{BARE}", no_word),
        Form(rf"""\b(?:PSK|XAUTH|EAP)[ \t]+{LITERAL}""", no_word),
        Form(rf"""{LINE}[\w."-]+[ \t]+[\w*."-]+[ \t]+"([^"\s]{{6,}})"[ \t]+[*\d."]+(?m:$)""", no_word),
        Form(
            rf"(?:machine{GAP}\S+|default){GAP}login{GAP}\S+(?:{GAP}account{GAP}\S+)?{GAP}password{GAP}(\S{{6,}})",
            no_word,
        ),
        Form(rf"{LINE}login[ \t]+\S+{END}password[ \t]+(\S{{6,}})", no_word),
        Form(rf"{LINE}[\w.*-]+:(?:[56]4\d\d|\*):[\w*-]+:[\w*.@-]+:([^\s:]{{6,}})(?:\s|$)", no_word),
        Form(rf"chpasswd:(?:{END}[^\n]*)?{END}list:[ \t]*\|?{END}(?:-[ \t])?[\w-]+:(\S{{6,}})", no_word),
        Form(rf"\bpasswd/[\w-]+-password(?:-again)?[ \t]+password[ \t]+{BARE}", no_word),
    ]
)
QUERIES = Forms(
    [
        Form(rf"{IDENTIFIED}{EITHER}", gives_away),
        Form(rf"(?i:{IDENTIFIED}){EITHER}", no_word),
        Form(rf"(?i:\b(?:ROLE|USER|LOGIN)\b[^\n;]*?\bPASSWORD[ \t]*=?[ \t]*)N?{LITERAL}", gives_away),
        Form(r"""[\w.-]+:([^\s:@/"'`$%{}<>]{6,})@(?:tcp|unix|cloudsql)\(""", gives_away),
        Form(r"""\boracle:(?:thin|oci8?):[\w.]+/([^\s@"'$]{6,})@""", gives_away),
    ]
)
USERS = Forms(
    [
        Form(
            r"(?:(?:Password|Basic|Plain|Digest)(?:Authentication|Credentials?)|(?:Basic|Digest)Auth|NetworkCredential"
            r"|[bB]asic_?[aA]uth|AuthTokens\.basic|auth\.basic)"
            rf"[( ][ \t]*{TEXT}{NEXT}{QUOTED}",
            gives_away,
        ),
        Form(rf"\bauth[ \t]*[=:][ \t]*[(\[][ \t]*{TEXT}{NEXT}{QUOTED}", gives_away),
        Form(rf"\w*AWSCredentials(?:\.create)?{BEGIN}{TEXT}{NEXT}{QUOTED}", gives_away, name="secret"),
        Form(
            rf"(?:\.(?:log_?[iI]n|Login|[aA]uthenticate|begin){BEGIN}|\bsp_addlogin[ \t]+)"
            rf"{TEXT}{NEXT}{QUOTED}",
            no_word,
        ),
        Form(
            rf"(?:PlainAuth|mysqli?_connect|new[ \t]+mysqli|new[ \t]+PDO|DriverManager\.getConnection)"
            rf"{BEGIN}{TEXT}{NEXT}{TEXT}{NEXT}{QUOTED}",
            gives_away,
        ),
        Form(
            rf"\b(?:\w*[cC]onnect|Sequelize|createPool|\.start){BEGIN}(?:{TEXT}{NEXT}){{2,3}}{QUOTED}",
            strange,
        ),
        Form(rf"\bsignWith{BEGIN}{TEXT}{NEXT}{QUOTED}", name="secret"),
        Form(rf"(?i:ConvertTo-SecureString)[ \t]+(?:-\w+[ \t]+)*{LITERAL}", gives_away),
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
