# A learning switch for os-ken (Ryu's successor), OpenFlow 1.0 or 1.3 by the variable OF, that prints what it hears and asks for statistics.
import os

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub, ofctl_v1_0, ofctl_v1_3
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_0, ofproto_v1_3

OLD = os.environ['OF'] == '1.0'
ofctl = ofctl_v1_0 if OLD else ofctl_v1_3
QUESTIONS = ['get_desc_stats', 'get_flow_stats', 'get_aggregate_flow_stats', 'get_table_stats', 'get_port_stats', 'get_port_desc', 'get_queue_stats']
REPLIES = ['DescStatsReply', 'FlowStatsReply', 'AggregateStatsReply', 'TableStatsReply', 'PortStatsReply', 'QueueStatsReply']
if not OLD:
    REPLIES.append('PortDescStatsReply')


def say(*words):
    print('heard', *words, flush=True)


class Switch(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_0.OFP_VERSION if OLD else ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.places = {}
        self.waiters = {}

    def add(self, dp, priority, match, actions, **more):
        p, o = dp.ofproto_parser, dp.ofproto
        if OLD:
            dp.send_msg(p.OFPFlowMod(datapath=dp, match=match, cookie=more.pop('cookie', 0), command=o.OFPFC_ADD, priority=priority, actions=actions, **more))
        else:
            inst = [p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, actions)]
            dp.send_msg(p.OFPFlowMod(datapath=dp, priority=priority, match=match, instructions=inst, **more))

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, ev):
        msg, dp = ev.msg, ev.msg.datapath
        say('features %016x' % dp.id, msg.n_buffers, msg.n_tables, hex(msg.capabilities))
        if not OLD:
            p, o = dp.ofproto_parser, dp.ofproto
            self.add(dp, 0, p.OFPMatch(), [p.OFPActionOutput(o.OFPP_CONTROLLER, o.OFPCML_NO_BUFFER)])

    @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])
    def state(self, ev):
        say('state', ev.state)
        if ev.state == MAIN_DISPATCHER:
            hub.spawn(self.ask, ev.datapath)

    def ask(self, dp):
        p, o = dp.ofproto_parser, dp.ofproto
        while not os.path.exists('/tmp/ask'):
            hub.sleep(0.2)
        for name in QUESTIONS:
            answer = getattr(ofctl, name)(dp, self.waiters)[str(dp.id)]
            if name == 'get_port_stats':
                answer = sorted((str(one['port_no']), one['rx_packets'] > 0) for one in answer)
            elif name == 'get_port_desc':
                answer = sorted((str(one['port_no']), one['name'], one['config'], one['state']) for one in answer)
            elif name == 'get_flow_stats':
                # Not how many: packets that a cached flow sent to the controller count for the new flow at the reference.
                answer = sorted((one['priority'], one['packet_count'] > 0, sorted(one['match'].items()) if one['priority'] == 1 else '', one['actions']) for one in answer)
            elif name == 'get_aggregate_flow_stats':
                answer = answer[0]['flow_count']
            elif name == 'get_table_stats':
                answer = (len(answer), answer[0]['active_count'])
            say(name, answer)
        match = p.OFPMatch(in_port=1, dl_type=0x800, nw_proto=6, tp_dst=80) if OLD else p.OFPMatch(in_port=1, eth_type=0x800, ip_proto=6, tcp_dst=80)
        self.add(dp, 5, match, [], hard_timeout=1, flags=o.OFPFF_SEND_FLOW_REM, cookie=0x77)
        dp.send_msg(p.OFPGetConfigRequest(dp))
        dp.send_msg(p.OFPBarrierRequest(dp))

    def reply(self, ev):
        msg, dp = ev.msg, ev.msg.datapath
        waiter = self.waiters.get(dp.id, {}).get(msg.xid)
        if waiter is None:
            say(type(msg).__name__)
            return
        lock, msgs = waiter
        msgs.append(msg)
        if not msg.flags & 1:
            del self.waiters[dp.id][msg.xid]
            lock.set()

    for name in REPLIES + ['BarrierReply', 'GetConfigReply']:
        reply = set_ev_cls(getattr(ofp_event, 'EventOFP' + name), MAIN_DISPATCHER)(reply)

    @set_ev_cls(ofp_event.EventOFPErrorMsg, [CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def error(self, ev):
        say('error', ev.msg.type, ev.msg.code)

    @set_ev_cls(ofp_event.EventOFPFlowRemoved, MAIN_DISPATCHER)
    def removed(self, ev):
        say('flow-removed', hex(ev.msg.cookie), ev.msg.priority, ev.msg.reason)

    @set_ev_cls(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def port(self, ev):
        say('port-status', ev.msg.reason, ev.msg.desc.port_no, ev.msg.desc.name.rstrip(b'\0').decode())

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, ev):
        msg, dp = ev.msg, ev.msg.datapath
        p, o = dp.ofproto_parser, dp.ofproto
        port = msg.in_port if OLD else msg.match['in_port']
        eth = packet.Packet(msg.data).get_protocols(ethernet.ethernet)[0]
        self.places[eth.src] = port
        out = self.places.get(eth.dst, o.OFPP_FLOOD)
        actions = [p.OFPActionOutput(out)]
        if out != o.OFPP_FLOOD:
            match = p.OFPMatch(in_port=port, dl_dst=eth.dst, dl_src=eth.src) if OLD else p.OFPMatch(in_port=port, eth_dst=eth.dst, eth_src=eth.src)
            self.add(dp, 1, match, actions, idle_timeout=60)
        data = msg.data if msg.buffer_id == o.OFP_NO_BUFFER else None
        dp.send_msg(p.OFPPacketOut(datapath=dp, buffer_id=msg.buffer_id, in_port=port, actions=actions, data=data))
