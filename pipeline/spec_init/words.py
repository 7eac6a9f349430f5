"""Words in the names of columns, and what they usually mean."""

from __future__ import annotations

import re
from collections.abc import Collection


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


USER = _words("user uid userid member customer visitor viewer account buyer reader")
ITEM_KEYS = _words(
    "item iid itemid movie movieid video videoid product productid ad adid article news sku goods",
    "photo song track book doc creative post note vid business restaurant listing hotel recipe",
    "game anime",
)
ITEM = ITEM_KEYS | _words("author music brand category cat genre title upload shop seller")
REQUEST = _words("request req requestid session sessionid impression query search trace")
CONTEXT = _words(
    "hour weekday scene scenario tab position pos device os network page channel platform",
    "hourmin slot placement",
)
TIME = _words("time ts timestamp date datetime day dt event at")
DURATION = _words("duration length len")
WATCH = _words("play watch view dwell stay listen reading")
AMOUNT_OF_TIME = _words("time duration ms sec secs second seconds s length")
RATING = _words("rating rate score stars star grade")
FEEDBACK = _words(
    "click clicked clk like liked follow followed comment commented share shared forward",
    "forwarded fav favorite favourite collect cart buy bought purchase purchased order ordered",
    "pay paid convert converted conversion cvr install download subscribe subscribed signup",
    "finish finished complete completed view viewed play played watch watched label target enter",
    "gift reply reward",
)
DISLIKES = _words(
    "hate dislike disliked report reported skip skipped block hide hidden uninstall unfollow",
    "unsubscribe",
)
BEHAVIOR = _words("behavior behaviour action event type btag")
IMPRESSIONS = _words("pv view impression imp show shown expose exposure display")
TITLES = _words("title name caption headline")
CODES = _words("code type cat category tag genre brand city region zip class group tab")
QUANTITIES = _words(
    "age num number count cnt price amount duration time length size width height score rate",
    "ratio days total avg mean sum max min freq ctr cvr distance weight income salary year ms sec",
    "seconds minutes hours bytes",
)
HISTORY = _words("hist history recent last seq sequence past clicked viewed")
LISTS = HISTORY | _words("list tags genres keywords categories topics labels interests")


# Chinese words of which logs are full.
_TRANSLATED = {
    "用户": "user", "商品": "item", "物品": "item", "视频": "video", "广告": "ad",
    "请求": "request", "行为": "behavior", "时间": "time", "日期": "date", "小时": "hour",
    "曝光": "impression", "点击": "click", "收藏": "fav", "购买": "buy", "加购": "cart",
    "点赞": "like", "评论": "comment", "分享": "share", "转发": "forward", "关注": "follow",
    "评分": "rating", "播放": "play", "时长": "duration", "价格": "price", "售价": "price",
    "年龄": "age", "性别": "gender", "城市": "city", "品牌": "brand", "标签": "tag",
    "类别": "category", "类目": "category", "类型": "type", "名称": "name",
}  # fmt: skip


def plain_name(name: str) -> str:
    """Return a name with Chinese words in English: `用户ID` is `user_ID`."""
    for word, english in _TRANSLATED.items():
        name = name.replace(word, f" {english} ")
    return "_".join(name.split())


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: `userId2` and `user_id_2` are user, id, 2."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)", " ", plain_name(name))
    return re.findall(r"[a-z]+|\d+", spaced.lower())


def has_word(name: str, words: Collection[str]) -> bool:
    """Return whether a name has one of some words."""
    return any(word in words for word in words_of(name))


def is_id(name: str) -> bool:
    """Return whether a name says that a column identifies something."""
    words = words_of(name)
    return "id" in words or (bool(words) and words[-1].endswith("id") and 3 <= len(words[-1]) <= 10)
