"""One DNS query answered (RFC 1035, 2308, 2782, 6891).

In: the bytes of a query and a directory. Out: the bytes of a response, or the query to pass on. Pure.
Never: an exception, whatever the bytes are; a word to what is no query.
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from proxy.control.names.directory import Address, Directory, Entry

PAYLOAD = 1_232
"""Bytes of the longest response over UDP: what passes every link without fragments."""
_PLAIN_PAYLOAD = 512
_HEADER = 12


@dataclass(frozen=True)
class Foreign:
    """A query of names that others know."""

    query: dns.message.QueryMessage


def answer(wire: bytes, directory: Directory, over_tcp: bool) -> bytes | Foreign | None:
    """The response, the query if it is of names that the mesh does not know, or None for what is not to be answered.

    Addresses are in another order each time: the library shuffles them as it writes them.
    """
    query = _read(wire)
    if query is None or isinstance(query, bytes):
        return query
    refusal = _refusal(query)
    if refusal is not None:
        return _bytes(_response(query, refusal), query, over_tcp)
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    entry = directory.find(name)
    if entry is None and not directory.owns(name):
        return Foreign(query)
    response = _response(query, dns.rcode.NOERROR if entry else dns.rcode.NXDOMAIN)
    response.flags |= dns.flags.AA
    if entry:
        _fill(response, question, entry, directory)
    if not response.answer:
        response.authority.append(_authority(directory))
    return _bytes(response, query, over_tcp)


def failure(query: dns.message.QueryMessage, rcode: dns.rcode.Rcode, over_tcp: bool) -> bytes:
    """The response to a query that could not be passed on."""
    return _bytes(_response(query, rcode), query, over_tcp)


def passed_on(response: dns.message.Message, query: dns.message.QueryMessage, over_tcp: bool) -> bytes:
    """What another resolver said, as the response to this query."""
    response.id = query.id
    return _bytes(response, query, over_tcp)


def _read(wire: bytes) -> dns.message.QueryMessage | bytes | None:
    """The query; a response that complains of its form; None for what is too short, or itself a response."""
    if len(wire) < _HEADER or wire[2] & 0x80:
        return None
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):
        return wire[:2] + bytes([0x80 | wire[2] & 0x79, dns.rcode.FORMERR]) + bytes(8)
    if isinstance(query, dns.message.QueryMessage):
        return query
    return wire[:2] + bytes([0x80 | wire[2] & 0x79, dns.rcode.NOTIMP]) + bytes(8)


def _refusal(query: dns.message.QueryMessage) -> dns.rcode.Rcode | None:
    if query.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if len(query.question) != 1:
        return dns.rcode.FORMERR
    if query.edns > 0:
        return dns.rcode.BADVERS
    return None if query.question[0].rdclass == dns.rdataclass.IN else dns.rcode.REFUSED


def _response(query: dns.message.QueryMessage, rcode: dns.rcode.Rcode) -> dns.message.Message:
    response = dns.message.make_response(query, recursion_available=True, our_payload=PAYLOAD)
    response.set_rcode(rcode)
    return response


def _fill(response: dns.message.Message, question: dns.rrset.RRset, entry: Entry, directory: Directory) -> None:
    kind, ttl = question.rdtype, directory.ttl_s
    if kind == dns.rdatatype.SRV:
        for place in entry.places:
            target = dns.name.from_text(place.name)
            _add(response.answer, question.name, ttl, kind, f"0 0 {place.port} {target}")
            found = directory.find(place.name)
            for address in found.addresses if found else ():
                _add(response.additional, target, ttl, _kind(address), str(address))
        return
    for address in entry.addresses:
        if kind in (_kind(address), dns.rdatatype.ANY):
            _add(response.answer, question.name, ttl, _kind(address), str(address))


def _kind(address: Address) -> dns.rdatatype.RdataType:
    return dns.rdatatype.A if address.version == 4 else dns.rdatatype.AAAA


def _add(
    section: list[dns.rrset.RRset], name: dns.name.Name, ttl: int, kind: dns.rdatatype.RdataType, data: str
) -> None:
    rdata = dns.rdata.from_text(dns.rdataclass.IN, kind, data)
    for rrset in section:
        if rrset.name == name and rrset.rdtype == kind:
            rrset.add(rdata)
            return
    section.append(dns.rrset.from_rdata(name, ttl, rdata))


def _authority(directory: Directory) -> dns.rrset.RRset:
    """How long it may be remembered that something is not there (RFC 2308, 5)."""
    data = f"dns.{directory.suffix}. whymesh.{directory.suffix}. 1 60 60 60 {directory.ttl_s}"
    return dns.rrset.from_text(f"{directory.suffix}.", directory.ttl_s, "IN", "SOA", data)


def _bytes(response: dns.message.Message, query: dns.message.QueryMessage, over_tcp: bool) -> bytes:
    if over_tcp:
        return response.to_wire(max_size=65_535, prefer_truncation=True)
    wanted = query.payload if query.edns >= 0 else _PLAIN_PAYLOAD
    return response.to_wire(max_size=max(_PLAIN_PAYLOAD, min(wanted, PAYLOAD)), prefer_truncation=True)
