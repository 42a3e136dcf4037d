// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Stands in for Arbitrum's precompile ArbSys at 0x64 on a local chain, whose block.number plays L1's: the L2's number is
/// greater by a constant (src/sim/arbitrum-node.ts), and its hashes are those that the node's JSON-RPC gives.
contract LocalArbSys {
    uint256 private constant OFFSET = 400_000_000;

    event L2ToL1Tx(
        address caller,
        address indexed destination,
        uint256 indexed hash,
        uint256 indexed position,
        uint256 arbBlockNum,
        uint256 ethBlockNum,
        uint256 timestamp,
        uint256 callvalue,
        bytes data
    );

    uint256 private _sends;

    /// As the precompile: the message's place in the tree of all of them, whose root the rollup confirms (src/sim/arbitrum-outbox.ts).
    function sendTxToL1(address destination, bytes calldata data) external payable returns (uint256 position) {
        position = _sends++;
        uint256 number = block.number + OFFSET;
        bytes32 hash = keccak256(
            abi.encodePacked(msg.sender, destination, number, block.number, block.timestamp, msg.value, data)
        );
        emit L2ToL1Tx(
            msg.sender,
            destination,
            uint256(hash),
            position,
            number,
            block.number,
            block.timestamp,
            msg.value,
            data
        );
    }

    function arbBlockNumber() external view returns (uint256) {
        return block.number + OFFSET;
    }

    /// As the precompile: the last 256 blocks, the present one excluded.
    function arbBlockHash(uint256 number) external view returns (bytes32) {
        require(number < block.number + OFFSET && number + 256 >= block.number + OFFSET, "invalid block number");
        return blockhash(number - OFFSET);
    }

    function arbChainID() external view returns (uint256) {
        return block.chainid;
    }
}
